/** The engines that voxgrad is compared with: how each is started, and which works it is asked. */
import { join } from "node:path";
import type { TuneFlags } from "../../src/choose/tune_options";
import { convWorks, needsGradients, type Work, workName } from "./works";

export interface Peer {
  /** For `--only` and in the JSON. */
  readonly name: string;
  readonly title: string;
  /** Script in engines/. */
  readonly script: string;
  /** Whether it needs the npm packages of bench/peers. */
  readonly packages: boolean;
  /** Whether it has gradients: the others are asked for forward works only. */
  readonly trains: boolean;
  /** Pool and batch of the OHEM iterations, as large as its speed allows. */
  readonly iterations: readonly (readonly [pool: number, batch: number])[];
}

export const peers: readonly Peer[] = [
  {
    name: "f16",
    title: "voxgrad",
    script: "voxgrad.ts",
    packages: false,
    trains: true,
    iterations: [
      [16, 4],
      [128, 32],
    ],
  },
  {
    name: "torch",
    title: "PyTorch",
    script: "pytorch.py",
    packages: false,
    trains: true,
    iterations: [
      [16, 4],
      [128, 32],
    ],
  },
  {
    name: "tfjs",
    title: "TensorFlow.js WebGPU",
    script: "npm/tfjs.ts",
    packages: true,
    trains: true,
    iterations: [[4, 1]],
  },
  {
    name: "jax",
    title: "jax-js WebGPU",
    script: "npm/jax.ts",
    packages: true,
    trains: true,
    iterations: [[4, 1]],
  },
  {
    name: "ort",
    title: "onnxruntime-node",
    script: "npm/onnxruntime.ts",
    packages: true,
    trains: false,
    iterations: [],
  },
  {
    name: "ort-web",
    title: "onnxruntime-web WebGPU",
    script: "npm/onnxruntime_web.ts",
    packages: true,
    trains: false,
    iterations: [],
  },
];

export interface Sizes {
  /** Batch of the convolutions and of the network. */
  readonly patches: number;
  /** Pool and batch of the OHEM iteration, in place of each peer's own. */
  readonly iteration?: readonly [pool: number, batch: number];
}

/** Every work that a peer is asked to do. */
export function worksOf(peer: Peer, { patches, iteration }: Sizes): Work[] {
  const iterations = iteration ? [iteration] : peer.iterations;
  const all: Work[] = [
    ...convWorks(patches),
    { kind: "network", patches, training: false },
    { kind: "network", patches, training: true },
    ...iterations.map(([pool, batch]) => ({ kind: "iteration" as const, pool, batch })),
  ];
  return all.filter((work) => peer.trains || !needsGradients(work));
}

/** The works of all `chosen` peers by name, each once, convolutions first, iterations last. */
export function allWorks(chosen: readonly Peer[], sizes: Sizes): Map<string, Work> {
  const works = chosen.flatMap((peer) => worksOf(peer, sizes));
  const rank = (work: Work) =>
    work.kind === "iteration" ? work.pool : work.kind === "conv" ? -2 : -1;
  works.sort((a, b) => rank(a) - rank(b));
  return new Map(works.map((work) => [workName(work), work]));
}

const ENGINES = join(import.meta.dir, "engines");

/** Arguments of the engines' command lines. */
export interface EngineOptions {
  /** Interpreter of those in Python. */
  readonly python: string;
  /** For those that compute on WebGPU. */
  readonly adapter: string;
  /** For voxgrad's own. */
  readonly tune: TuneFlags;
}

/** The command line of an engine. */
export function commandOf(script: string, { python, adapter, tune }: EngineOptions): string[] {
  const path = join(ENGINES, script);
  if (script.endsWith(".py")) return [python, path];
  return [process.execPath, path, adapter, tune.tune, `${tune.tuneSeconds}`];
}
