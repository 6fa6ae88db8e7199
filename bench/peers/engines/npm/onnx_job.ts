/** An inference with onnxruntime, whichever of its packages. */
import type { InferenceSession, TensorConstructor } from "onnxruntime-common";
import { floats, type Job, type Tensors } from "../../engine";
import { needsGradients, type Work } from "../../works";
import { convModel, networkModel } from "./onnx_model";

interface Runtime {
  readonly InferenceSession: { create: typeof InferenceSession.create };
  readonly Tensor: TensorConstructor;
}

/**
 * @param wait how a promise of the runtime is awaited
 * @returns why not, for works that are no inference
 */
export async function inference(
  ort: Runtime,
  options: InferenceSession.SessionOptions,
  work: Work,
  inputs: Tensors,
  wait: <T>(promise: Promise<T>) => Promise<T>,
): Promise<Job | string> {
  if (needsGradients(work)) return "onnxruntime infers only";
  const model = work.kind === "conv" ? convModel(inputs) : networkModel(inputs);
  const session = await wait(ort.InferenceSession.create(model, options));
  const { shape, data } = floats(inputs, "x");
  const x = new ort.Tensor("float32", data, shape);
  const run = async () => {
    const results = await wait(session.run({ x }));
    return results[session.outputNames[0]!]!;
  };
  const result = (await run()).data as Float32Array;
  const name = work.kind === "conv" ? "y" : "logits";
  return {
    outputs: new Map([[name, { shape: [result.length], data: result }]]),
    async run(count) {
      for (let i = 0; i < count; i++) await run();
    },
    release: () => session.release(),
  };
}
