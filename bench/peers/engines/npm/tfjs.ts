/** TensorFlow.js on WebGPU: eager, channels last, (N, D, H, W, C). */
import type * as Core from "@tensorflow/tfjs-core";
import {
  type Engine,
  floats,
  type Job,
  permuted,
  serve,
  type Tensors,
  weightsOf,
} from "../../engine";
import type { ConvWork, IterationWork, NetworkWork } from "../../works";
import { diceLoss, info, NOTE, network, tf, wait } from "./tfjs_network";

type Tensor = Core.Tensor;
type Gradients = Record<string, Core.Variable>;

const [PATCH, LEARNING_RATE, MU] = [32, 1e-3, 0.999];

/** (N, C, D, H, W) and (Cout, Cin, k, k, k) to TensorFlow's orders, and back. */
const TO_LAST = [0, 2, 3, 4, 1];
const TO_FIRST = [0, 4, 1, 2, 3];
const WEIGHTS_IN = [2, 3, 4, 1, 0];
const WEIGHTS_OUT = [4, 3, 0, 1, 2];

function batch(inputs: Tensors, name: string): Tensor {
  const { shape, data } = permuted(floats(inputs, name), TO_LAST);
  return tf.tensor5d(data, shape as Core.Tensor5D["shape"]);
}

async function read(t: Tensor, order?: readonly number[]) {
  const tensor = { shape: t.shape, data: (await wait(t.data())) as Float32Array };
  return order ? permuted(tensor, order) : tensor;
}

/** Waits until everything before has been computed: the queue keeps its order. */
async function finish(last: Tensor): Promise<void> {
  const one = tf.tidy(() => tf.slice(tf.reshape(last, [-1]), [0], [1]));
  await wait(one.data());
  one.dispose();
}

/** A job that calls `run`, whose results it disposes of. */
function job(run: () => Tensor[], held: readonly Tensor[], outputs: Tensors, note?: string): Job {
  return {
    outputs,
    note,
    async run(count) {
      for (let i = 0; i < count; i++) {
        const results = tf.tidy(run);
        if (i === count - 1) await finish(results.at(-1)!);
        tf.dispose(results);
      }
    },
    release: () => tf.dispose([...held]),
  };
}

async function conv({ backward }: ConvWork, inputs: Tensors): Promise<Job> {
  const x = batch(inputs, "x") as Core.Tensor5D;
  const kernel = permuted(floats(inputs, "w"), WEIGHTS_IN);
  const w = tf.tensor5d(kernel.data, kernel.shape as Core.Tensor5D["shape"]);
  const dy = batch(inputs, "dy");
  const forward = (a: Tensor, b: Tensor) =>
    tf.conv3d(a as Core.Tensor5D, b as Core.Tensor5D, 1, "same");
  const gradients = tf.valueAndGrads(forward as never);
  const run = () => {
    if (!backward) return [forward(x, w)];
    const { value, grads } = gradients([x, w], dy);
    return [value, ...grads];
  };
  const [y, dx, dw] = tf.tidy(run);
  const outputs = new Map([["y", await read(y!, TO_FIRST)]]);
  if (dx && dw) {
    outputs.set("dx", await read(dx, TO_FIRST));
    outputs.set("dw", await read(dw, WEIGHTS_OUT));
  }
  tf.dispose([y!, dx!, dw!].filter(Boolean));
  return job(run, [x, w, dy], outputs);
}

function variables(inputs: Tensors, trainable: boolean): Map<string, Core.Variable> {
  return new Map(
    weightsOf(inputs).map(({ name, ...tensor }) => {
      const { shape, data } = tensor.shape.length === 5 ? permuted(tensor, WEIGHTS_IN) : tensor;
      return [name, tf.variable(tf.tensor(data, shape), trainable)];
    }),
  );
}

async function forward(inputs: Tensors): Promise<Job> {
  const [w, x] = [variables(inputs, false), batch(inputs, "x")];
  const run = () => [network(w, x)];
  const [logits] = tf.tidy(run);
  const outputs = new Map([["logits", await read(logits!, TO_FIRST)]]);
  logits!.dispose();
  return job(run, [...w.values(), x], outputs, NOTE);
}

/** Weights with Adam. */
class Student {
  readonly w: Map<string, Core.Variable>;
  private readonly adam = tf.train.adam(LEARNING_RATE, 0.9, 0.999, 1e-8);

  constructor(inputs: Tensors) {
    this.w = variables(inputs, true);
  }

  /** Gradients of the mean loss, and the loss of each patch. */
  gradients(x: Tensor, y: Tensor): { grads: Gradients; loss: Tensor } {
    let loss: Tensor | undefined;
    const mean = () => {
      loss = tf.keep(diceLoss(network(this.w, x), y));
      return tf.mean(loss) as Core.Scalar;
    };
    const { grads } = tf.variableGrads(mean, [...this.w.values()]);
    return { grads: grads as Gradients, loss: loss! };
  }

  apply(grads: Gradients): void {
    this.adam.applyGradients(grads);
  }

  get tensors(): Tensor[] {
    return [...this.w.values()];
  }
}

async function step(_work: NetworkWork, inputs: Tensors): Promise<Job> {
  const student = new Student(inputs);
  const [x, y] = [batch(inputs, "x"), batch(inputs, "y")];
  const outputs = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const name of ["loss1", "loss2"]) {
    const { grads, loss } = student.gradients(x, y);
    outputs.set(name, await read(loss));
    if (name === "loss1") {
      for (const [parameter, variable] of student.w) {
        const order = variable.shape.length === 5 ? WEIGHTS_OUT : undefined;
        outputs.set(`gradient/${parameter}`, await read(grads[variable.name]!, order));
      }
      student.apply(grads);
    }
    tf.dispose([grads, loss]);
  }
  const run = () => {
    const { grads, loss } = student.gradients(x, y);
    student.apply(grads);
    loss.dispose();
    return [tf.clone(student.tensors[0]!)];
  };
  return job(run, [...student.tensors, x, y], outputs, NOTE);
}

async function iteration({ batch: count }: IterationWork, inputs: Tensors): Promise<Job> {
  const student = new Student(inputs);
  const average = variables(inputs, false);
  const images = ["visit1", "visit2", "label"].map((name) => floats(inputs, name));
  const volumes = tf.tidy(() =>
    tf.stack(
      images.map(({ shape, data }) => tf.tensor(data, shape)),
      3,
    ),
  );
  const coords = inputs.get("coords")!;
  const [rounds = 0, pool = 0] = coords.shape;
  const size = [PATCH, PATCH, PATCH];
  let t = 0;
  const once = () => {
    const patches = tf.stack(
      Array.from({ length: pool }, (_, i) => {
        const at = ((t % rounds) * pool + i) * 4;
        const [z, y, x] = [1, 2, 3].map((k) => Number(coords.data[at + k]));
        return tf.slice(volumes, [z!, y!, x!, 0], [...size, 3]);
      }),
    );
    const [x, y] = tf.split(patches, [2, 1], 4) as [Tensor, Tensor];
    const errors = diceLoss(network(average, x), y);
    const { indices } = tf.topk(errors, count);
    const top = indices as Core.Tensor1D;
    const { grads, loss } = student.gradients(tf.gather(x, top), tf.gather(y, top));
    student.apply(grads);
    const mu = Math.min(MU, (1 + t) / (10 + t));
    for (const [name, mean] of average) {
      mean.assign(tf.add(tf.mul(mean, mu), tf.mul(student.w.get(name)!, 1 - mu)));
    }
    t++;
    const results = [tf.mean(loss), tf.mean(errors), tf.clone(average.values().next().value!)];
    loss.dispose();
    return results;
  };
  const means: number[][] = [];
  for (let i = 0; i < 2; i++) {
    const results = tf.tidy(once);
    means.push([(await read(results[0]!)).data[0]!, (await read(results[1]!)).data[0]!]);
    tf.dispose(results);
  }
  const column = (i: number) => ({ shape: [2], data: Float32Array.from(means, (m) => m[i]!) });
  const outputs = new Map([
    ["loss", column(0)],
    ["pool_error", column(1)],
  ]);
  return job(once, [...student.tensors, ...average.values(), volumes], outputs, NOTE);
}

const engine: Engine = {
  version: `TensorFlow.js ${tf.version_core}, ${tf.getBackend()} on ${info.name}`,
  variants: [{ name: "default", reduced: false }],
  prepare(work, inputs) {
    if (work.kind === "conv") return conv(work, inputs);
    if (work.kind === "iteration") return iteration(work, inputs);
    return work.training ? step(work, inputs) : forward(inputs);
  },
};

await serve(async () => engine);
