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

interface Slot {
  readonly bytes: number;
  /** Which dispatches are taken. */
  readonly taken: Lifetime[];
}

/** Dispatches between two lifetimes; negative where they overlap. */
const gap = (a: Lifetime, b: Lifetime) => Math.max(a.first - b.last, b.first - a.last) - 1;

/**
 * Assigns every lifetime to a slot so that no two tensors that are live at once share one. Greedy by
 * size (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference", section
 * 4.4): the largest first, each into the free slot whose tenants come closest in time, so that slots
 * are as large as their first tenant and long gaps stay open for others. Whole buffers, because
 * WebGPU forbids read and read_write of one buffer in one dispatch even on disjoint ranges.
 */
export function plan(lifetimes: readonly Lifetime[]): Plan {
  const order = [...lifetimes].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  const slots: Slot[] = [];
  const slotOf = new Map<number, number>();
  for (const t of order) {
    let chosen = -1;
    let closest = Number.POSITIVE_INFINITY;
    slots.forEach(({ taken }, i) => {
      const nearest = Math.min(...taken.map((other) => gap(t, other)));
      if (nearest < 0 || nearest >= closest) return;
      chosen = i;
      closest = nearest;
    });
    if (chosen < 0) chosen = slots.push({ bytes: t.bytes, taken: [] }) - 1;
    slots[chosen]!.taken.push(t);
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
