/** Whether two engines computed the same. */
import type { StoredTensor } from "../../src/data/safetensors";

/** Allowed deviation: of float32 results, and of those with bf16 or tf32 products. */
export const TOLERANCE = { float32: 1e-3, reduced: 5e-2 };

export interface Comparison {
  /** The largest relative L2 distance of any tensor, ‖peer − ours‖ / ‖ours‖. */
  readonly deviation: number;
  /** Which tensor that is, or what is wrong. */
  readonly worst: string;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** Compares every tensor of `ours`; a missing one or one of another size deviates infinitely. */
export function compare(ours: Tensors, peer: Tensors): Comparison {
  let found: Comparison = { deviation: 0, worst: "nothing" };
  for (const [name, { shape, data }] of ours) {
    const theirs = peer.get(name)?.data;
    if (theirs?.length !== data.length) {
      const got = theirs ? `${theirs.length} values` : "missing";
      return { deviation: Number.POSITIVE_INFINITY, worst: `${name} (${shape}): ${got}` };
    }
    const deviation = relativeL2(data as ArrayLike<number>, theirs as ArrayLike<number>);
    if (!(deviation <= found.deviation)) found = { deviation, worst: name };
  }
  return found;
}

function relativeL2(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let [square, norm] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    square += (theirs[i]! - ours[i]!) ** 2;
    norm += ours[i]! ** 2;
  }
  const distance = Math.sqrt(square / norm);
  return Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY;
}
