/**
 * Volumes that live on the device, in pages of equal size that one binding can hold, for the
 * gather_patches kernel. A page holds whole patients; a patient that is larger than a page is cut
 * into slabs along z that overlap by a patch less one plane. Where not all pages fit the memory
 * budget, a window of them moves on every rotation; which pages are there is a function of the
 * rotation's number alone, so that a resumed run sees the same patients.
 */
import { UserError } from "../core/errors";
import { state, type Tensor } from "../core/tensor";
import type { Memory } from "../gpu/memory";
import {
  type Block,
  blockWords,
  layOut,
  type StoredPair,
  type StoredVolume,
  wordsOf,
} from "./page_layout";
import { TABLE_COLUMNS, tableRow, type VisitData, wordsOfPair } from "./page_words";
import { type VisitStatistics, visitStatistics } from "./visit_statistics";
import { type SlotOptions, slotBytes, VolumeSlots } from "./volume_slots";

export type { VisitData } from "./page_words";

/** A pair whose voxels come from the host. */
export interface VolumeSource extends StoredPair {
  readonly load: () => Promise<VisitData>;
}

/** A pair without labels, in float32, that is made on the device. */
export interface DeviceSource extends StoredPair {
  readonly fill: (ranges: readonly PageRange[]) => Promise<void>;
}

type Source = VolumeSource | DeviceSource;

/** The place of planes [z0, z0 + planes) of both visits, one after the other: element `at` of a page. */
export interface PageRange {
  readonly page: Tensor;
  readonly at: number;
  readonly z0: number;
  readonly planes: number;
}

export interface StoreOptions {
  /** Keep both visits as one pair of 16-bit floats a voxel. */
  readonly half: boolean;
  /** Device memory for pages, bytes. */
  readonly budget: number;
  /** Edge of the largest patch that is drawn, voxels. */
  readonly patch: number;
  /** Keep the visits' statistics, for augmentation. */
  readonly statistics?: boolean;
  /** Room for pairs that come and go; it counts into the budget. */
  readonly slots?: SlotOptions;
}

export class VolumeStore {
  private rotation = -1;
  private readonly statistics = new Map<number, readonly [VisitStatistics, VisitStatistics]>();
  private readonly slotPages: number[];

  private constructor(
    private readonly memory: Memory,
    readonly half: boolean,
    private readonly logical: readonly (readonly Block<Source>[])[],
    /** Physical pages: u32 words. */
    readonly pages: readonly Tensor[],
    readonly table: Tensor,
    private readonly measures: boolean,
    /** Pairs that come and go, beside those that rotate. */
    readonly slots?: VolumeSlots,
  ) {
    this.slotPages = pages.map(() => -1);
  }

  /** @throws UserError when not even one page fits the budget */
  static create(memory: Memory, sources: readonly Source[], options: StoreOptions): VolumeStore {
    const { half, statistics = false } = options;
    const bindable = Math.min(memory.device.limits.maxStorageBufferBindingSize, 2 ** 32);
    const bytes = sources.map((s) => 4 * blockWords(s, s.size[2], half));
    const total = bytes.reduce((sum, n) => sum + n, 0);
    const budget = options.budget - (options.slots ? slotBytes(options.slots, half) : 0);
    // Where patients rotate, several small pages make the change from one rotation to the next mild.
    const several = Math.min(budget, Math.max(budget / 4, ...bytes));
    const share = Math.max(0, total > budget ? several : budget);
    const logical = layOut(sources, Math.floor(Math.min(bindable, share) / 4), options);
    const words = Math.max(...logical.map(wordsOf(half)));
    const count = Math.min(logical.length, Math.floor(budget / (words * 4)));
    if (count < 1) throw tooLittle(options, words * 4);
    const pages = Array.from({ length: count }, (_, i) => state(`page${i}`, [words], "u32"));
    const rows = logical.flat().flatMap((block) => block.volumes).length;
    const before = { rows, pages: count };
    const slots = options.slots && new VolumeSlots(memory, half, options.slots, before, bindable);
    const table = state("volume_table", [rows + (slots?.rows ?? 0), TABLE_COLUMNS], "u32");
    return new VolumeStore(memory, half, logical, pages, table, statistics, slots);
  }

  /** Whether every volume is on the device at once. */
  get complete(): boolean {
    return this.pages.length === this.logical.length;
  }

  get deviceBytes(): number {
    return this.allPages.reduce((sum, page) => sum + page.shape[0]! * 4, 0);
  }

  private get allPages(): readonly Tensor[] {
    return [...this.pages, ...(this.slots?.pages ?? [])];
  }

  /** Bindings of gather_patches and window_range. */
  get bindings(): Record<string, Tensor> {
    const pages = this.allPages.map((page, i) => [`page${i}`, page] as const);
    return { table: this.table, ...Object.fromEntries(pages) };
  }

  /** Brings the pages of a rotation (any number from 0 on) to the device. */
  async rotateTo(rotation: number): Promise<void> {
    const { logical, pages } = this;
    if (rotation === this.rotation || (this.complete && this.rotation >= 0)) return;
    const wanted = new Map<Source, PageRange[]>();
    for (let j = 0; j < pages.length; j++) {
      const position = rotation + j;
      const page = position % logical.length;
      const slot = position % pages.length;
      if (this.slotPages[slot] === page) continue;
      for (const block of logical[page]!) {
        const { source, z0, planes, offset: at } = block;
        const placed = { page: pages[slot]!, at, z0, planes };
        wanted.set(source, [...(wanted.get(source) ?? []), placed]);
      }
      this.slotPages[slot] = page;
    }
    for (const [source, ranges] of wanted) {
      if ("fill" in source) await source.fill(ranges);
      else await this.upload(source, ranges);
    }
    this.rotation = rotation;
    this.writeTable();
  }

  /** What patches may be drawn from now, in an order that depends on the rotation alone. */
  get resident(): readonly StoredVolume[] {
    const { logical, pages, rotation } = this;
    return pages.flatMap((_, j) =>
      logical[(rotation + j) % logical.length]!.flatMap((block) => block.volumes),
    );
  }

  /** Of both visits of the volume in a row of the table, where it is or has been on the device. */
  statisticsOf(row: number): readonly [VisitStatistics, VisitStatistics] {
    const found = this.statistics.get(row) ?? this.slots?.statisticsOf(row);
    if (!found) throw new Error(`volume store: no statistics of row ${row}`);
    return found;
  }

  private measure(source: VolumeSource, { visit1, visit2 }: VisitData): void {
    const volumes = this.logical.flat().filter((block) => block.source === source);
    if (volumes.every(({ volumes: [first] }) => this.statistics.has(first!.row))) return;
    const visits = [visitStatistics(visit1), visitStatistics(visit2)] as const;
    for (const block of volumes) {
      for (const [twin, { row }] of block.volumes.entries()) {
        this.statistics.set(row, twin === 0 ? visits : [visits[1], visits[0]]);
      }
    }
  }

  /** Releases the device memory. */
  release(): void {
    for (const t of [...this.allPages, this.table]) this.memory.release(t);
  }

  private async upload(source: VolumeSource, ranges: readonly PageRange[]): Promise<void> {
    const plane = source.size[0] * source.size[1];
    const loaded = await source.load();
    const { visit1, visit2, labels } = loaded;
    if (this.measures) this.measure(source, loaded);
    for (const { page, at: start, z0, planes } of ranges) {
      const cut = <T extends Float32Array | Uint8Array>(values: T) =>
        values.subarray(z0 * plane, (z0 + planes) * plane) as T;
      const planesOf = { visit1: cut(visit1), visit2: cut(visit2), labels: labels.map(cut) };
      let at = start;
      for (const words of wordsOfPair(planesOf, this.half)) {
        this.memory.write(page, words, at);
        at += words.length;
      }
    }
  }

  /** Tells the kernels what lies where: after pairs have come into slots, too. */
  writeTable(): void {
    const rows = new Uint32Array(this.table.shape[0]! * TABLE_COLUMNS);
    this.slotPages.forEach((page, slot) => {
      for (const block of page < 0 ? [] : this.logical[page]!) {
        for (const [twin, volume] of block.volumes.entries()) {
          const { offset, planes, source } = block;
          const size = [source.size[0], source.size[1], planes] as const;
          const placed = { page: slot, offset, size };
          rows.set(tableRow(placed, twin, this.half), volume.row * TABLE_COLUMNS);
        }
      }
    });
    this.slots?.fillTable(rows);
    this.memory.write(this.table, rows);
  }
}

function tooLittle({ budget, slots, half }: StoreOptions, page: number): UserError {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const beside = slots ? ` beside ${mib(slotBytes(slots, half))} of generated pairs` : "";
  return new UserError(
    `--volume-budget ${mib(budget)} cannot hold one page of ${mib(page)}${beside}; raise it, or use ` +
      "--volume-precision f16",
  );
}
