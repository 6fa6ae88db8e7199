/** The cost of a dispatch on any adapter: operations and bytes. */
import type { Dispatch } from "./graph";
import { byteLength } from "./tensor";

export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** The kernel's own account; of the bytes, where it gives none, every bound tensor once. */
export function costOf({ kernel, sizes, tensors }: Dispatch): Cost {
  const bound = new Map(tensors.map((t) => [t.id, byteLength(t)]));
  const all = [...bound.values()].reduce((sum, n) => sum + n, 0);
  return { flops: kernel.flops?.(sizes) ?? 0, bytes: kernel.bytes?.(sizes) ?? all };
}

export function totalCost(dispatches: readonly Dispatch[]): Cost {
  let flops = 0;
  let bytes = 0;
  for (const d of dispatches) {
    const cost = costOf(d);
    flops += cost.flops;
    bytes += cost.bytes;
  }
  return { flops, bytes };
}
