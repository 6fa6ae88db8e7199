/** onnxruntime's binding for Node: on the processor, and with its experimental WebGPU provider. */
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import { type Engine, serve } from "../../engine";
import packages from "../../package.json";
import { type Browser, provideGpu } from "./navigator";
import { inference } from "./onnx_job";

const threads = availableParallelism();
/** Shows the provider the driver; only once it is asked for, because Dawn then spins at times. */
let gpu: Promise<Browser> | undefined;

const engine: Engine = {
  version: `onnxruntime-node ${packages.dependencies["onnxruntime-node"]}, ${threads} threads`,
  variants: [
    { name: "cpu", reduced: false },
    { name: "webgpu", reduced: false },
  ],
  async prepare(work, inputs, variant) {
    if (variant === "webgpu") gpu ??= provideGpu(process.argv[2] ?? "");
    const wait = variant === "webgpu" ? (await gpu!).wait : <T>(promise: Promise<T>) => promise;
    const options = { executionProviders: [variant], intraOpNumThreads: threads };
    return inference(ort, options, work, inputs, wait);
  },
};

await serve(async () => engine);
