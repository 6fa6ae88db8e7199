/** The generated pairs on the device, as a function of the iteration alone. */

import type { SlotPair } from "../data/volume_slots";
import type { VolumeStore } from "../data/volume_store";

/** Makes pairs by their numbers. */
export interface PairMaker {
  make(index: number): Promise<SlotPair>;
  /** Says that a pair will be asked for soon. */
  expect(index: number): void;
}

/**
 * The pair in a slot after a number of replacements: the pool begins with the pairs 0 to slots − 1, and
 * replacement j (from 1 on) puts pair slots + j − 1 into slot (j − 1) mod slots.
 */
export function pairInSlot(slot: number, replacements: number, slots: number): number {
  if (replacements <= slot) return slot;
  return slot + slots * (1 + Math.floor((replacements - 1 - slot) / slots));
}

/** Pairs that are asked for ahead. */
const AHEAD = 2;

export class GeneratedPool {
  private readonly held: (number | undefined)[];

  /** @param refresh iterations from one replacement to the next */
  constructor(
    private readonly store: VolumeStore,
    private readonly maker: PairMaker,
    private readonly refresh: number,
  ) {
    if (!store.slots) throw new Error("generated pool: the store has no slots");
    this.held = Array.from({ length: store.slots.count }, () => undefined);
  }

  /** Brings the pairs of an iteration to the device; waits where one of them is not made yet. */
  async bringTo(iteration: number): Promise<void> {
    const { store, maker, held } = this;
    const slots = held.length;
    const replacements = Math.floor(iteration / this.refresh);
    const wanted = held.map((_, slot) => pairInSlot(slot, replacements, slots));
    const missing = [...wanted.keys()].filter((slot) => held[slot] !== wanted[slot]);
    if (missing.length === 0) return;
    for (const slot of missing) maker.expect(wanted[slot]!);
    for (let n = 1; n <= AHEAD; n++) maker.expect(slots + replacements + n - 1);
    for (const slot of missing) {
      store.slots!.put(slot, await maker.make(wanted[slot]!));
      held[slot] = wanted[slot];
    }
    store.writeTable();
  }
}
