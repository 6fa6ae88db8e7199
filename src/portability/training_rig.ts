/** A tiny training problem for tests: random volumes with bright boxes as lesions. */
import { gatherPatches } from "../../kernels/volume/gather_patches";
import { Graph } from "../core/graph";
import { Philox } from "../core/random";
import type { Tensor } from "../core/tensor";
import type { Size3 } from "../data/volume";
import { type VolumeSource, VolumeStore } from "../data/volume_store";
import { capabilities } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import type { TrainConfig } from "../settings/config";
import { makeTrainConfig } from "../settings/presets";

/** A volume of noise in which voxels of some boxes are brighter at visit 2; `seed` decides all. */
export function noiseVolume(id: string, size: Size3, seed: number): VolumeSource {
  const random = new Philox(seed, 99);
  const [nx, ny, nz] = size;
  const count = nx * ny * nz;
  const visits = [0, 1].map(() => Float32Array.from({ length: count }, () => random.normal()));
  const label = new Uint8Array(count);
  for (let box = 0; box < 3; box++) {
    const [x, y, z] = size.map((n) => random.int(n - 3));
    for (let i = 0; i < 27; i++) {
      const at = [x! + (i % 3), y! + (Math.floor(i / 3) % 3), z! + Math.floor(i / 9)];
      const voxel = (at[2]! * ny + at[1]!) * nx + at[0]!;
      label[voxel] = 1;
      visits[1]![voxel]! += 3;
    }
  }
  const lesions = Uint32Array.from([...label.keys()].filter((i) => label[i]));
  const data = { visit1: visits[0]!, visit2: visits[1]!, labels: [label] };
  return { id, size, lesions: [lesions], load: async () => data };
}

/** Two such volumes, one larger than the other, and smaller than a patch along x. */
export function noiseSources(): VolumeSource[] {
  return [noiseVolume("a", [17, 14, 13], 1), noiseVolume("b", [7, 12, 20], 2)];
}

export const TINY: Partial<TrainConfig> = {
  filters: [8, 8, 8],
  patch: 8,
  stride: 6,
  pool: 12,
  batch: 5,
  chunk: 4,
  iterations: 100,
  diceEpsilon: 1,
};

export function tinyConfig(changes: Partial<TrainConfig> = {}): TrainConfig {
  return makeTrainConfig("paper", { ...TINY, ...changes });
}

export function tinyStore(memory: Memory, half = false, budget = 2 ** 24): VolumeStore {
  return VolumeStore.create(memory, noiseSources(), { half, budget, patch: 8 });
}

/** The patches of `coords` as the device sees them. */
export async function gathered(
  memory: Memory,
  store: VolumeStore,
  coords: Tensor,
): Promise<{ x: Float32Array; y: Float32Array }> {
  const g = new Graph(capabilities(memory.device));
  const attrs = { size: [8, 8, 8] as const, half: false, label: true };
  const { x, y } = g.apply(gatherPatches, { ...store.bindings, coords }, attrs);
  const program = await Program.compile(memory, g, "gather", [x!, y!]);
  program.run();
  const read = (t: Tensor) => memory.readF32(t, program.bufferOf(t));
  return { x: await read(x!), y: await read(y!) };
}

/** |a − b| / |b|. */
export function relativeL2(a: Float32Array, b: Float32Array): number {
  let [square, norm] = [0, 0];
  a.forEach((v, i) => {
    square += (v - b[i]!) ** 2;
    norm += b[i]! ** 2;
  });
  return Math.sqrt(square / norm);
}
