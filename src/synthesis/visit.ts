/** Makes a second visit of one scan, as if the patient had been scanned again. */
import type { Philox } from "../core/random";
import { randomField } from "../data/phantom/fields";
import { type Volume, voxelSize } from "../data/volume";
import { trilinear } from "./paste";
import type { Point } from "./shape";
import type { Tissue } from "./tissue";

/**
 * The image a little moved (up to 0.35 mm and 0.4°), with another gain, tissue contrast, bias field,
 * and noise of its own, fine and coarse. Air stays what it is.
 */
export function scannedAgain(image: Volume, tissue: Tissue, random: Philox): Float32Array {
  const { size, data } = image;
  const { air } = tissue;
  const edges = voxelSize(image.affine);
  const extent = size.map((n, axis) => n * edges[axis]!) as unknown as Point;
  const moved = movement(size, edges, random);
  const gain = random.uniform(0.8, 1.25);
  const gamma = random.uniform(0.9, 1.12);
  const white = meanLevel(tissue) - air;
  const bias = randomField(random, extent, 70);
  const depth = random.uniform(0.01, 0.05);
  const coarse = randomField(random, extent, random.uniform(3, 6));
  const [fineNoise, coarseNoise] = [random.uniform(0.01, 0.025), random.uniform(0.006, 0.015)];
  const out = new Float32Array(data.length);
  let i = 0;
  for (let z = 0; z < size[2]; z++) {
    for (let y = 0; y < size[1]; y++) {
      for (let x = 0; x < size[0]; x++, i++) {
        if (Math.abs(data[i]! - air) < 1e-3 * white) {
          out[i] = data[i]!;
          continue;
        }
        const above = trilinear(data, size, moved(x, y, z)) - air;
        const toned = Math.sign(above) * white * (Math.abs(above) / white) ** gamma;
        const at = [x, y, z].map((v, axis) => (v + 0.5) * edges[axis]! - extent[axis]! / 2) as [
          number,
          number,
          number,
        ];
        const noise = fineNoise * random.normal() + coarseNoise * coarse.at(...at);
        out[i] = air + gain * (toned * (1 + depth * bias.at(...at)) + white * noise);
      }
    }
  }
  return out;
}

function meanLevel({ level, plausible }: Tissue): number {
  let [sum, n] = [0, 0];
  for (const [i, yes] of plausible.entries()) {
    if (!yes) continue;
    sum += level[i]!;
    n++;
  }
  return sum / Math.max(1, n);
}

/** The place that a voxel is read from, in voxels: rotated about the middle and shifted. */
function movement(size: readonly number[], edges: Point, random: Philox) {
  const [a, b, c] = [0, 1, 2].map(() => (random.uniform(-0.4, 0.4) * Math.PI) / 180);
  const shift = [0, 1, 2].map(() => random.uniform(-0.35, 0.35));
  const middle = size.map((n) => (n - 1) / 2);
  return (x: number, y: number, z: number): Point => {
    const [px, py, pz] = [x, y, z].map((v, i) => (v - middle[i]!) * edges[i]!);
    const [qx, qy, qz] = [
      px! - c! * py! + b! * pz!,
      py! + c! * px! - a! * pz!,
      pz! - b! * px! + a! * py!,
    ];
    return [qx, qy, qz].map((v, i) => (v + shift[i]!) / edges[i]! + middle[i]!) as [
      number,
      number,
      number,
    ];
  };
}
