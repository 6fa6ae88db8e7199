/** Room on the device for pairs that come and go while a training runs (volume_store.ts). */
import { state, type Tensor } from "../core/tensor";
import type { Memory } from "../gpu/memory";
import type { StoredVolume } from "./page_layout";
import { TABLE_COLUMNS, tableRow, type VisitData, wordsOfPair } from "./page_words";
import { type VisitStatistics, visitStatistics } from "./visit_statistics";
import type { Size3 } from "./volume";

export interface SlotOptions {
  readonly slots: number;
  /** Voxels of the largest pair that comes. */
  readonly voxels: number;
  /** Whether each has its time-swapped twin. */
  readonly twins: boolean;
}

/** A pair for a slot. */
export interface SlotPair extends VisitData {
  readonly size: Size3;
  /** Voxels that patches are drawn around: of the pair, then of its twin. */
  readonly lesions: readonly Uint32Array[];
}

interface Held {
  readonly size: Size3;
  readonly lesions: readonly Uint32Array[];
  readonly statistics: readonly [VisitStatistics, VisitStatistics];
}

function slotWords({ voxels, twins }: SlotOptions, half: boolean): number {
  return (half ? 1 : 2) * voxels + (twins ? 2 : 1) * Math.ceil(voxels / 32);
}

/** What all slots take. */
export const slotBytes = (options: SlotOptions, half: boolean): number =>
  4 * options.slots * slotWords(options, half);

export class VolumeSlots {
  readonly pages: readonly Tensor[];
  private readonly held: (Held | undefined)[];
  private readonly perPage: number;
  private readonly words: number;

  /**
   * @param before rows of the table, and pages, that others have before these
   * @param bindable bytes of the largest page
   */
  constructor(
    private readonly memory: Memory,
    private readonly half: boolean,
    private readonly options: SlotOptions,
    private readonly before: { readonly rows: number; readonly pages: number },
    bindable: number,
  ) {
    const { slots } = options;
    this.words = slotWords(options, half);
    this.perPage = Math.max(1, Math.min(slots, Math.floor(bindable / (4 * this.words))));
    const count = Math.ceil(slots / this.perPage);
    this.pages = Array.from({ length: count }, (_, i) =>
      state(`slots${i}`, [Math.min(this.perPage, slots - i * this.perPage) * this.words], "u32"),
    );
    this.held = Array.from({ length: slots }, () => undefined);
  }

  /** Rows of the table that a slot takes. */
  private get rowsEach(): number {
    return this.options.twins ? 2 : 1;
  }

  get rows(): number {
    return this.options.slots * this.rowsEach;
  }

  get count(): number {
    return this.options.slots;
  }

  /** Puts a pair in the place of another. The table must be written afterwards. */
  put(slot: number, pair: SlotPair): void {
    const { size, lesions, visit1, visit2, labels } = pair;
    if (visit1.length > this.options.voxels || labels.length !== this.rowsEach) {
      throw new Error(`slot ${slot}: ${size.join("×")} voxels, ${labels.length} labels do not fit`);
    }
    let at = (slot % this.perPage) * this.words;
    const page = this.pages[Math.floor(slot / this.perPage)]!;
    for (const words of wordsOfPair(pair, this.half)) {
      this.memory.write(page, words, at);
      at += words.length;
    }
    this.held[slot] = {
      size,
      lesions,
      statistics: [visitStatistics(visit1), visitStatistics(visit2)],
    };
  }

  /** Writes the rows of all slots into the table's words. */
  fillTable(words: Uint32Array): void {
    for (const [slot, pair] of this.held.entries()) {
      if (!pair) continue;
      const placed = {
        page: this.before.pages + Math.floor(slot / this.perPage),
        offset: (slot % this.perPage) * this.words,
        size: pair.size,
      };
      for (let twin = 0; twin < this.rowsEach; twin++) {
        words.set(tableRow(placed, twin, this.half), this.rowOf(slot, twin) * TABLE_COLUMNS);
      }
    }
  }

  private rowOf(slot: number, twin: number): number {
    return this.before.rows + slot * this.rowsEach + twin;
  }

  /** What patches may be drawn from now. */
  get resident(): readonly StoredVolume[] {
    return this.held.flatMap((pair, slot) =>
      (pair?.lesions ?? []).map((lesions, twin) => ({
        id: `generated${slot}`,
        row: this.rowOf(slot, twin),
        z0: 0,
        size: pair!.size,
        lesions,
      })),
    );
  }

  /** Undefined for rows of others. */
  statisticsOf(row: number): readonly [VisitStatistics, VisitStatistics] | undefined {
    const at = row - this.before.rows;
    if (at < 0) return undefined;
    const pair = this.held[Math.floor(at / this.rowsEach)];
    if (!pair) return undefined;
    const [first, second] = pair.statistics;
    return at % this.rowsEach === 0 ? [first, second] : [second, first];
  }
}
