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
import { type VisitStatistics, visitStatistics } from "./visit_statistics";

/** Normalised voxels of a patient, x fastest. */
export interface VisitData {
  readonly visit1: Float32Array;
  readonly visit2: Float32Array;
  /** A 0/1 label of the pair and, where there is one, of its twin: in the order of `lesions`. */
  readonly labels: readonly Uint8Array[];
}

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
}

const TABLE_COLUMNS = 8;
const SWAPPED = 1;

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
  ) {
    this.slotPages = pages.map(() => -1);
  }

  /** @throws UserError when not even one page fits the budget */
  static create(memory: Memory, sources: readonly Source[], options: StoreOptions): VolumeStore {
    const bindable = Math.min(memory.device.limits.maxStorageBufferBindingSize, 2 ** 32);
    const bytes = sources.map((s) => 4 * blockWords(s, s.size[2], options.half));
    const total = bytes.reduce((sum, n) => sum + n, 0);
    // Where patients rotate, several small pages make the change from one rotation to the next mild.
    const several = Math.min(options.budget, Math.max(options.budget / 4, ...bytes));
    const share = total > options.budget ? several : options.budget;
    const logical = layOut(sources, Math.floor(Math.min(bindable, share) / 4), options);
    const words = Math.max(...logical.map(wordsOf(options.half)));
    const slots = Math.min(logical.length, Math.floor(options.budget / (words * 4)));
    if (slots < 1) {
      const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
      throw new UserError(
        `--volume-budget ${mib(options.budget)} cannot hold one page of ${mib(words * 4)}; raise ` +
          "it, or use --volume-precision f16",
      );
    }
    const pages = Array.from({ length: slots }, (_, i) => state(`page${i}`, [words], "u32"));
    const rows = logical.flat().flatMap((block) => block.volumes).length;
    const table = state("volume_table", [rows, TABLE_COLUMNS], "u32");
    const { half, statistics = false } = options;
    return new VolumeStore(memory, half, logical, pages, table, statistics);
  }

  /** Whether every volume is on the device at once. */
  get complete(): boolean {
    return this.pages.length === this.logical.length;
  }

  get deviceBytes(): number {
    return this.pages.reduce((sum, page) => sum + page.shape[0]! * 4, 0);
  }

  /** Bindings of gather_patches and window_range. */
  get bindings(): Record<string, Tensor> {
    const pages = this.pages.map((page, i) => [`page${i}`, page] as const);
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
    const found = this.statistics.get(row);
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
    for (const t of [...this.pages, this.table]) this.memory.release(t);
  }

  private async upload(source: VolumeSource, ranges: readonly PageRange[]): Promise<void> {
    const plane = source.size[0] * source.size[1];
    const loaded = await source.load();
    const { visit1, visit2, labels } = loaded;
    if (this.measures) this.measure(source, loaded);
    for (const { page, at: start, z0, planes } of ranges) {
      const cut = <T extends Float32Array | Uint8Array>(values: T) =>
        values.subarray(z0 * plane, (z0 + planes) * plane) as T;
      let at = start;
      const put = (words: Float32Array | Uint32Array) => {
        this.memory.write(page, words, at);
        at += words.length;
      };
      if (this.half) put(packHalf(cut(visit1), cut(visit2)));
      else for (const visit of [visit1, visit2]) put(cut(visit));
      for (const label of labels) put(packBits(cut(label)));
    }
  }

  private writeTable(): void {
    const rows = new Uint32Array(this.table.shape[0]! * TABLE_COLUMNS);
    this.slotPages.forEach((page, slot) => {
      for (const block of page < 0 ? [] : this.logical[page]!) {
        for (const [twin, volume] of block.volumes.entries()) {
          rows.set(tableRow(block, twin, slot, this.half), volume.row * TABLE_COLUMNS);
        }
      }
    });
    this.memory.write(this.table, rows);
  }
}

/** `twin`: 0 for the pair as it is, 1 for its time-swapped twin. */
function tableRow(block: Block<Source>, twin: number, slot: number, half: boolean): number[] {
  const [nx, ny] = block.source.size;
  const count = block.planes * nx * ny;
  const images = half ? 1 : 2;
  const [first, second] = twin === 0 ? [0, 1] : [1, 0];
  const visit = (i: number) => block.offset + (half ? 0 : i * count);
  const label = block.offset + images * count + twin * Math.ceil(count / 32);
  const flags = half && twin === 1 ? SWAPPED : 0;
  return [slot, visit(first), visit(second), label, block.planes, ny, nx, flags];
}

function packBits(label: Uint8Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(label.length / 32));
  for (let i = 0; i < label.length; i++) if (label[i]) words[i >>> 5]! |= 1 << (i & 31);
  return words;
}

/** Two float16 in a word, visit 1 in the low half: WGSL's pack2x16float. */
function packHalf(a: Float32Array, b: Float32Array): Uint32Array {
  const halves = new Float16Array(a.length * 2);
  for (let i = 0; i < a.length; i++) {
    halves[2 * i] = a[i]!;
    halves[2 * i + 1] = b[i]!;
  }
  return new Uint32Array(halves.buffer);
}
