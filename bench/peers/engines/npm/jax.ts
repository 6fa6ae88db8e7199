/** jax-js on WebGPU: everything under jit, its arrays (N, C, D, H, W) as ours. */
import type * as Jax from "@jax-js/jax";
import { type Engine, floats, type Job, serve, type Tensors, weightsOf } from "../../engine";
import packages from "../../package.json";
import type { ConvWork, IterationWork } from "../../works";
import { conv3d, diceLoss, info, jax, NOTE, network, type Weights, wait } from "./jax_network";

type Tensor = Jax.Array;

const { numpy: np, tree } = jax;
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
const [PATCH, LEARNING_RATE, MU] = [32, 1e-3, 0.999];

function array({ shape, data }: { shape: number[]; data: Float32Array }): Tensor {
  return np.array(data as Float32Array<ArrayBuffer>, { shape });
}

const input = (inputs: Tensors, name: string) => array(floats(inputs, name));

function weights(inputs: Tensors): Weights {
  return Object.fromEntries(weightsOf(inputs).map(({ name, ...tensor }) => [name, array(tensor)]));
}

/** The values of `t`, which keeps its reference. */
async function read(t: Tensor) {
  return { shape: t.shape, data: (await wait(t.ref.data())) as Float32Array };
}

/** A job that calls `run`, whose results are its own. */
function job(run: () => Record<string, Tensor>, outputs: Tensors, release: () => void): Job {
  return {
    outputs,
    note: NOTE,
    release,
    async run(count) {
      // jax-js is lazy: what is disposed of before it was waited for may never have been computed.
      const results = Array.from({ length: count }, run);
      await wait(jax.blockUntilReady(results));
      tree.dispose(results);
    },
  };
}

async function conv({ backward }: ConvWork, inputs: Tensors): Promise<Job> {
  const held = { x: input(inputs, "x"), w: input(inputs, "w"), dy: input(inputs, "dy") };
  const forward = jax.jit(conv3d);
  const both = jax.jit((x: Tensor, w: Tensor, dy: Tensor) => {
    const [y, pull] = jax.vjp(conv3d, [x, w]);
    const [dx, dw] = pull(dy) as [Tensor, Tensor];
    pull.dispose();
    return [y, dx, dw];
  });
  const run = (): Record<string, Tensor> => {
    const { x, w, dy } = held;
    if (!backward) return { y: forward(x.ref, w.ref) };
    const [y, dx, dw] = both(x.ref, w.ref, dy.ref) as [Tensor, Tensor, Tensor];
    return { y, dx, dw };
  };
  const results = run();
  const outputs = new Map<string, Awaited<ReturnType<typeof read>>>();
  for (const [name, t] of Object.entries(results)) outputs.set(name, await read(t));
  tree.dispose(results);
  const done = job(run, outputs, () => tree.dispose(held));
  return { ...done, note: undefined };
}

async function forward(inputs: Tensors): Promise<Job> {
  const held = { w: weights(inputs), x: input(inputs, "x") };
  const compiled = jax.jit(network);
  const run = () => ({ logits: compiled(tree.ref(held.w), held.x.ref) });
  const results = run();
  const outputs = new Map([["logits", await read(results.logits)]]);
  tree.dispose(results);
  return job(run, outputs, () => tree.dispose(held));
}

const meanLoss = (w: Weights, x: Tensor, y: Tensor): [Tensor, Tensor] => {
  const loss = diceLoss(network(w, x), y);
  return [np.mean(loss.ref), loss];
};

const gradients = jax.jit((w: Weights, x: Tensor, y: Tensor) => {
  const [[mean, loss], gradient] = jax.valueAndGrad(meanLoss, { hasAux: true })(w, x, y);
  mean.dispose();
  return { loss, gradient: gradient as Weights };
});

type Moments = { w: Weights; m: Weights; v: Weights };

/** One step of Adam; `rate` and `root` carry the corrections of its start. */
const adam = jax.jit(({ w, m, v }: Moments, gradient: Weights, rate: Tensor, root: Tensor) => {
  const next: Moments = { w: {}, m: {}, v: {} };
  for (const [name, g] of Object.entries(gradient)) {
    const first = m[name]!.mul(ADAM.beta1).add(g.ref.mul(1 - ADAM.beta1));
    const second = v[name]!.mul(ADAM.beta2).add(np.square(g).mul(1 - ADAM.beta2));
    const size = np.sqrt(second.ref).mul(root.ref).add(ADAM.epsilon);
    next.w[name] = w[name]!.sub(first.ref.mul(rate.ref).div(size));
    next.m[name] = first;
    next.v[name] = second;
  }
  tree.dispose([rate, root]);
  return next;
});

/** Weights with Adam. */
class Student {
  private state: Moments;
  private t = 0;

  constructor(inputs: Tensors) {
    const zeros = () => tree.map((t: Tensor) => np.zeros(t.shape), weights(inputs)) as Weights;
    this.state = { w: weights(inputs), m: zeros(), v: zeros() };
  }

  get w(): Weights {
    return this.state.w;
  }

  gradients(x: Tensor, y: Tensor): { loss: Tensor; gradient: Weights } {
    return gradients(tree.ref(this.w), x, y) as { loss: Tensor; gradient: Weights };
  }

  apply(gradient: Weights): void {
    this.t++;
    const rate = np.array((LEARNING_RATE / (1 - ADAM.beta1 ** this.t)) as never);
    const root = np.array((1 / Math.sqrt(1 - ADAM.beta2 ** this.t)) as never);
    this.state = adam(this.state, gradient, rate, root) as Moments;
  }

  dispose(): void {
    tree.dispose(this.state);
  }
}

async function step(inputs: Tensors): Promise<Job> {
  const student = new Student(inputs);
  const held = { x: input(inputs, "x"), y: input(inputs, "y") };
  const outputs = new Map<string, Awaited<ReturnType<typeof read>>>();
  for (const name of ["loss1", "loss2"]) {
    const { loss, gradient } = student.gradients(held.x.ref, held.y.ref);
    outputs.set(name, await read(loss));
    loss.dispose();
    if (name === "loss2") {
      tree.dispose(gradient);
      continue;
    }
    for (const [parameter, g] of Object.entries(gradient)) {
      outputs.set(`gradient/${parameter}`, await read(g));
    }
    student.apply(gradient);
  }
  const run = () => {
    const { loss, gradient } = student.gradients(held.x.ref, held.y.ref);
    student.apply(gradient);
    return { loss, ...(tree.ref(student.w) as Weights) };
  };
  return job(run, outputs, () => {
    student.dispose();
    tree.dispose(held);
  });
}

const rank = jax.jit((w: Weights, x: Tensor, y: Tensor) => diceLoss(network(w, x), y));

const follow = jax.jit((average: Weights, w: Weights, mu: Tensor) => {
  const next: Weights = {};
  for (const [name, mean] of Object.entries(average)) {
    next[name] = mean.mul(mu.ref).add(w[name]!.mul(np.array(1).sub(mu.ref)));
  }
  mu.dispose();
  return next;
});

async function iteration({ batch }: IterationWork, inputs: Tensors): Promise<Job> {
  const student = new Student(inputs);
  let average = weights(inputs);
  const names = ["visit1", "visit2", "label"];
  const volumes = np.stack(names.map((name) => input(inputs, name)));
  const coords = inputs.get("coords")!;
  const [rounds = 0, pool = 0] = coords.shape;
  let t = 0;
  const cut = (i: number): Tensor => {
    const at = ((t % rounds) * pool + i) * 4;
    const ranges = [1, 2, 3].map((k) => {
      const start = Number(coords.data[at + k]);
      return [start, start + PATCH] as [number, number];
    });
    return volumes.ref.slice([], ...ranges);
  };
  const run = () => {
    const patches = np.stack(Array.from({ length: pool }, (_, i) => cut(i)));
    const [x, y] = [patches.ref.slice([], [0, 2]), patches.slice([], [2, 3])];
    const errors = rank(tree.ref(average), x.ref, y.ref) as Tensor;
    const [values, top] = jax.lax.topK(errors.ref, batch);
    values.dispose();
    const hardest = [np.take(x, top.ref, 0), np.take(y, top, 0)] as const;
    const { loss, gradient } = student.gradients(...hardest);
    student.apply(gradient);
    const mu = np.array(Math.min(MU, (1 + t) / (10 + t)) as never);
    average = follow(average, tree.ref(student.w), mu) as Weights;
    t++;
    const kept = tree.ref(average) as Weights;
    return { ...kept, loss: np.mean(loss), pool_error: np.mean(errors) };
  };
  const means = { loss: [] as number[], pool_error: [] as number[] };
  for (let i = 0; i < 2; i++) {
    const results = run();
    for (const name of ["loss", "pool_error"] as const) {
      means[name].push((await read(results[name])).data[0]!);
    }
    tree.dispose(results);
  }
  const column = (values: number[]) => ({ shape: [2], data: Float32Array.from(values) });
  const outputs = new Map(Object.entries(means).map(([name, list]) => [name, column(list)]));
  return job(run, outputs, () => {
    student.dispose();
    tree.dispose([average, volumes]);
  });
}

const engine: Engine = {
  version: `jax-js ${packages.dependencies["@jax-js/jax"]}, ${jax.defaultDevice()} on ${info.name}`,
  variants: [{ name: "jit", reduced: false }],
  prepare(work, inputs) {
    if (work.kind === "conv") return conv(work, inputs);
    if (work.kind === "iteration") return iteration(work, inputs);
    return work.training ? step(inputs) : forward(inputs);
  },
};

await serve(async () => engine);
