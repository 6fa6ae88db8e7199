/** Memory planning: temporary tensors with disjoint lifetimes share whole buffers. Pure. */

/** A temporary and the dispatches (by position) that first and last touch it, both inclusive. */
export interface Lifetime {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface Plan {
  /** Bytes of each slot; a slot becomes one buffer. */
  readonly slots: readonly number[];
  /** Tensor id → slot. */
  readonly slotOf: ReadonlyMap<number, number>;
}

/**
 * Assigns every lifetime to a slot so that no two tensors that are live at once share one.
 * Greedy in order of first use: the free slot that wastes least, else the largest free slot grown,
 * else a new slot. Whole buffers, because WebGPU forbids read and read_write of one buffer in one
 * dispatch even on disjoint ranges.
 */
export function plan(lifetimes: readonly Lifetime[]): Plan {
  const order = [...lifetimes].sort((a, b) => a.first - b.first || b.bytes - a.bytes);
  const slots: { bytes: number; freeAfter: number }[] = [];
  const slotOf = new Map<number, number>();
  for (const t of order) {
    const free = slots.map((_, i) => i).filter((i) => slots[i]!.freeAfter < t.first);
    const fitting = free.filter((i) => slots[i]!.bytes >= t.bytes);
    const pool = fitting.length > 0 ? fitting : free;
    const better = (a: number, b: number) => {
      const waste = Math.abs(slots[a]!.bytes - t.bytes) - Math.abs(slots[b]!.bytes - t.bytes);
      return waste <= 0 ? a : b;
    };
    // A tiny tensor in a huge buffer is no loss; a huge one in a tiny buffer is just growth.
    const chosen =
      pool.length > 0 ? pool.reduce(better) : slots.push({ bytes: 0, freeAfter: 0 }) - 1;
    const slot = slots[chosen]!;
    slot.bytes = Math.max(slot.bytes, t.bytes);
    slot.freeAfter = t.last;
    slotOf.set(t.id, chosen);
  }
  return { slots: slots.map((s) => s.bytes), slotOf };
}

/** Bytes that would be needed at the worst moment if buffers could be packed perfectly. */
export function peakBytes(lifetimes: readonly Lifetime[]): number {
  const steps = new Map<number, number>();
  for (const t of lifetimes) {
    steps.set(t.first, (steps.get(t.first) ?? 0) + t.bytes);
    steps.set(t.last + 1, (steps.get(t.last + 1) ?? 0) - t.bytes);
  }
  let live = 0;
  let peak = 0;
  for (const [, change] of [...steps].sort((a, b) => a[0] - b[0])) {
    live += change;
    peak = Math.max(peak, live);
  }
  return peak;
}
