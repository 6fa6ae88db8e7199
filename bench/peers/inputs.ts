/** Shared inputs and weights, so that all engines compute the same numbers. */
import { join } from "node:path";
import { Philox } from "../../src/core/random";
import type { StoredTensor } from "../../src/data/safetensors";
import { writeSafetensors } from "../../src/data/safetensors_file";
import type { VolumeSource } from "../../src/data/volume_store";
import { initialise, toNamed, unetParameters } from "../../src/nn/parameters";
import { drawPatches } from "../../src/train/sampler";
import { type ConvWork, type IterationWork, NETWORK, PATCH, type Work } from "./works";

/** Seed of the weights, which is also the trainer's. */
export const SEED = 0;
/** Edge of the volume that the iterations cut their patches from, voxels. */
const EDGE = 64;
/** Share of positive patches among the sampled, the paper's. */
const POSITIVE = 0.3;
/** Iterations that patches are drawn for; longer runs begin again. */
export const DRAWN_ITERATIONS = 8;

type Tensors = Map<string, StoredTensor>;

function random(stream: number, shape: readonly number[], scale = 1): StoredTensor {
  const rng = new Philox(SEED, stream);
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float32Array.from({ length }, () => scale * rng.uniform(-1, 1)) };
}

function convInputs({ cin, cout, edge, patches }: ConvWork): Tensors {
  const space = [edge, edge, edge];
  return new Map([
    ["x", random(1, [patches, cin, ...space])],
    ["w", random(2, [cout, cin, 3, 3, 3], 1 / Math.sqrt(27 * cin))],
    ["dy", random(3, [patches, cout, ...space])],
  ]);
}

/** The U-Net's start weights by name, as the trainer makes them. */
function weights(): Tensors {
  const specs = unetParameters(NETWORK);
  const named = toNamed(specs, initialise(specs, SEED));
  return new Map([...named].map(([name, tensor]) => [`weights/${name}`, tensor]));
}

function networkInputs(patches: number): Tensors {
  const space = [PATCH, PATCH, PATCH];
  const chance = new Philox(SEED, 5);
  const length = patches * PATCH ** 3;
  const y = Float32Array.from({ length }, () => (chance.uniform() < 0.1 ? 1 : 0));
  return new Map([
    ...weights(),
    ["x", random(4, [patches, 2, ...space], Math.sqrt(3))],
    ["y", { shape: [patches, 1, ...space], data: y }],
  ]);
}

/**
 * Noise with lesion voxels that are brighter at visit 2. Their density grows along z, so that no
 * two patches have nearly the same error and every engine selects the same ones.
 */
export function noiseVolume(): VolumeSource {
  const rng = new Philox(SEED, 6);
  const count = EDGE ** 3;
  const visit1 = Float32Array.from({ length: count }, () => rng.normal());
  const label = Uint8Array.from({ length: count }, (_, i) => {
    const z = Math.floor(i / EDGE ** 2);
    return rng.uniform() < 0.02 + (0.3 * z) / EDGE ? 1 : 0;
  });
  const visit2 = Float32Array.from({ length: count }, (_, i) => rng.normal() + 1.5 * label[i]!);
  const lesions = Uint32Array.from([...label.keys()].filter((i) => label[i]));
  const data = { visit1, visit2, labels: [label] };
  return { id: "noise", size: [EDGE, EDGE, EDGE], lesions: [lesions], load: async () => data };
}

async function iterationInputs({ pool }: IterationWork): Promise<Tensors> {
  const source = noiseVolume();
  const { visit1, visit2, labels } = await source.load();
  const stored = { id: "noise", row: 0, size: source.size, z0: 0, lesions: source.lesions[0]! };
  const options = { seed: SEED, patch: PATCH, positive: POSITIVE, count: pool };
  const coords = new Int32Array(DRAWN_ITERATIONS * pool * 4);
  for (let t = 0; t < DRAWN_ITERATIONS; t++) {
    coords.set(drawPatches([stored], t, options).corners, t * pool * 4); // volume, z, y, x
  }
  const shape = [EDGE, EDGE, EDGE];
  return new Map<string, StoredTensor>([
    ...weights(),
    ["visit1", { shape, data: visit1 }],
    ["visit2", { shape, data: visit2 }],
    ["label", { shape, data: Float32Array.from(labels[0]!) }],
    ["coords", { shape: [DRAWN_ITERATIONS, pool, 4], data: coords }],
  ]);
}

/** Writes the inputs of `work` into `folder` and returns the file's path. */
export async function writeInputs(folder: string, work: Work): Promise<string> {
  const path = join(folder, "inputs.safetensors");
  const tensors =
    work.kind === "conv"
      ? convInputs(work)
      : work.kind === "iteration"
        ? await iterationInputs(work)
        : networkInputs(work.patches);
  writeSafetensors({ path, tensors, metadata: {} });
  return path;
}
