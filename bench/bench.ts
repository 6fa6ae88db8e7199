/** The context that every part of a benchmark run shares: settings, device, controls, sizes. */
import { UserError } from "../src/core/errors";
import type { Precision } from "../src/core/tensor";
import { capabilities, checkPrecision } from "../src/gpu/capabilities";
import type { Device } from "../src/gpu/device";
import { Stopwatch } from "../src/gpu/stopwatch";
import { openDevice } from "../src/hosts/bun";
import { type DeviceChoices, windowBatch } from "../src/infer/window_batch";
import { modelInfo } from "../src/run/trained_weights";
import type { TrainConfig } from "../src/settings/config";
import { makeTrainConfig, PRESETS, type PresetName } from "../src/settings/presets";
import { printResult } from "../src/terminal/result";
import { chunksFor } from "../src/train/chunk";
import { Controls, measureCeilings } from "./ceilings";
import { RecordingMemory } from "./record";
import type { Ceilings } from "./report/schema";

export interface Settings {
  readonly adapter?: string;
  readonly presets: readonly PresetName[];
  readonly repetitions: number;
  /** The paper's sizes, also where they take minutes. */
  readonly full: boolean;
  readonly filter?: RegExp;
  /** Pick → variant, for the recorded training programs. */
  readonly variants: Readonly<Record<string, string>>;
  /** The storage of activations. */
  readonly precision: Precision;
  /** Patches per dispatch of the kernels' table; sizes of the steps. Absent: by adapter. */
  readonly patches?: number;
  readonly pool?: number;
  readonly batch?: number;
  readonly volume?: number;
}

/** For larger presets, what a processor does in seconds; a GPU gets their own sizes. */
const SMALL_POOL = 16;
const SMALL_BATCH = 4;

/** Patches per dispatch, pool and batch, and the edge of the predicted cube in voxels. */
export interface Sizes {
  readonly patches: number;
  readonly pool: number;
  readonly batch: number;
  readonly volume: number;
}

export class Bench {
  private constructor(
    readonly settings: Settings,
    readonly device: Device,
    readonly memory: RecordingMemory,
    readonly stopwatch: Stopwatch,
    readonly ceilings: Ceilings,
    readonly controls: Controls,
    /** Kernels and window batches of the programs that are measured: by default the defaults. */
    readonly choices: DeviceChoices = {},
  ) {}

  /** Opens the adapter and measures its ceilings. */
  static async open(settings: Settings): Promise<Bench> {
    const device = await openDevice({ adapter: settings.adapter });
    checkPrecision(device, settings.precision);
    printResult(device.describe(settings.precision));
    const memory = new RecordingMemory(device);
    const stopwatch = await Stopwatch.create(device);
    const ceilings = await measureCeilings(memory, stopwatch, settings.repetitions);
    const controls = await Controls.create(memory, stopwatch);
    return new Bench(settings, device, memory, stopwatch, ceilings, controls);
  }

  /** The same with other choices. */
  withChoices(choices: DeviceChoices): Bench {
    const { settings, device, memory, stopwatch, ceilings, controls } = this;
    return new Bench(settings, device, memory, stopwatch, ceilings, controls, choices);
  }

  /** Windows per run of the network of `config`. */
  windowBatch(config: TrainConfig): number {
    const model = { ...modelInfo(config), precision: config.precision };
    return windowBatch(this.device, model, this.choices.windowBatch?.(model));
  }

  get isSoftware(): boolean {
    return this.device.info.type === "software";
  }

  /** Whether the preset's pool and batch are too large for this adapter. */
  isScaled(preset: PresetName): boolean {
    return this.isSoftware && !this.settings.full && PRESETS[preset].settings.pool > SMALL_POOL;
  }

  /** Sizes for a preset: its own on a GPU or with --full, else what takes seconds. */
  sizes(preset: PresetName): Sizes {
    const { full, patches, pool, batch, volume } = this.settings;
    const config = makeTrainConfig(preset, {});
    const scaled = this.isScaled(preset);
    const { trained } = chunksFor(config, capabilities(this.device));
    return {
      patches: patches ?? (this.isSoftware ? SMALL_BATCH : trained),
      pool: pool ?? (scaled ? SMALL_POOL : config.pool),
      batch: batch ?? (scaled ? SMALL_BATCH : config.batch),
      volume: volume ?? (this.isSoftware ? (full ? 128 : 80) : 256),
    };
  }

  config(preset: PresetName, changes: Partial<TrainConfig> = {}): TrainConfig {
    const { pool, batch } = this.sizes(preset);
    const { precision } = this.settings;
    return makeTrainConfig(preset, { pool, batch, precision, ...changes });
  }

  /** The rows that the filter leaves. */
  select<T extends { readonly id: string }>(rows: readonly T[]): T[] {
    const { filter } = this.settings;
    return rows.filter(({ id }) => !filter || filter.test(id));
  }

  close(): void {
    this.controls.release();
    this.memory.dispose();
    this.stopwatch.destroy();
    this.device.destroy();
  }
}

/** `conv3d=plain` of the command line. */
export function parseVariant(text: string): readonly [pick: string, name: string] {
  const [pick, name, ...more] = text.split("=");
  if (!pick || !name || more.length > 0) {
    throw new UserError(`--variant ${text}: expected pick=name, such as conv3d=plain`);
  }
  return [pick, name];
}
