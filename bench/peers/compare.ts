/** Compares the results of two engines. */
import type { StoredTensor } from "../../src/data/safetensors";

/**
 * Allowed relative L2 distance of a tensor, ‖peer − ours‖ / ‖ours‖. The network's gradients get
 * more: where an input of a ReLU or the two largest of a pooling window lie within rounding of each
 * other, two engines take different sides, and in float32 both PyTorch and voxgrad then differ from
 * float64 by up to 4e-3. With bf16 products many do: 0.3.
 */
const TOLERANCE = {
  float32: { value: 1e-4, gradient: 2e-2 },
  reduced: { value: 5e-2, gradient: 0.5 },
};

/** The tensor that comes closest to its tolerance or passes it farthest. */
export interface Comparison {
  readonly worst: string;
  readonly deviation: number;
  readonly allowed: number;
  /** What else is wrong with it. */
  readonly fault?: string;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** Compares every tensor of `ours`; a missing one or one of another size deviates infinitely. */
export function compare(ours: Tensors, peer: Tensors, reduced: boolean): Comparison {
  const tolerance = reduced ? TOLERANCE.reduced : TOLERANCE.float32;
  const all = [...ours].map(([worst, { shape, data }]): Comparison => {
    const allowed = worst.startsWith("gradient/") ? tolerance.gradient : tolerance.value;
    const theirs = peer.get(worst)?.data;
    if (theirs?.length === data.length) {
      const deviation = relativeL2(data as ArrayLike<number>, theirs as ArrayLike<number>);
      return { worst, deviation, allowed };
    }
    const fault = `${theirs?.length ?? "no"} values for ${shape.join("×")}`;
    return { worst, deviation: Number.POSITIVE_INFINITY, allowed, fault };
  });
  const excess = ({ deviation, allowed }: Comparison) => deviation / allowed;
  return all.reduce((a, b) => (excess(b) > excess(a) ? b : a));
}

/** Infinite where anything is not finite. */
function relativeL2(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let [square, norm] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    square += (theirs[i]! - ours[i]!) ** 2;
    norm += ours[i]! ** 2;
  }
  const distance = Math.sqrt(square / norm);
  return Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY;
}
