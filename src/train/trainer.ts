/** The state of a training run on the device and one step of it; no files, no clock. */
import { FIRST_SCALE } from "../../kernels/loss/loss_scale";
import { storagesOf } from "../core/graph";
import { storageOf } from "../core/tensor";
import type { Choices } from "../core/variant";
import type { VolumeStore } from "../data/volume_store";
import { graphFor } from "../gpu/capabilities";
import { InFlight } from "../gpu/in_flight";
import type { Memory } from "../gpu/memory";
import { Program, type ProgramStats } from "../gpu/program";
import { ReadbackRing } from "../gpu/readback";
import { initialise, type ParameterSpec, setHeadPrior } from "../nn/parameters";
import type { TrainConfig } from "../settings/config";
import { augmentedRows } from "./augment";
import type { GeneratedPool } from "./generated_pool";
import { recordIteration } from "./iteration";
import type { MiningTelemetry } from "./metrics";
import { ALONE, type Exchange, MicroShards } from "./micro_shards";
import { putSelectionKey } from "./mining";
import { type DrawnPatches, drawPatches, drawWithGenerated } from "./sampler";
import { emaMomentum, learningRateAt, stepValues } from "./schedule";
import {
  LOG_COLUMNS,
  LOG_ROWS,
  makeTrainState,
  sampleCount,
  type TrainState,
  trainedParameters,
} from "./state";
import { isDue, miningTelemetry, recordTelemetry } from "./telemetry";

/** Statistics of the iterations since the last report, averaged. */
export interface Statistics extends MiningTelemetry {
  readonly iteration: number;
  readonly loss: number;
  readonly positiveFraction: number;
  /** Mean error of the sampled pool under w̄. */
  readonly poolError: number;
  /** The loss scale now and the steps skipped so far, where activations are f16. */
  readonly lossScale?: number;
  readonly skippedSteps?: number;
}

export interface TrainerOptions {
  /** Variants of kernels: by default if absent. */
  readonly kernels?: Choices;
  /**
   * Loads a checkpoint into the state and says of which moment it is; without it both networks start
   * from the same random weights.
   */
  readonly restore?: (state: TrainState, specs: readonly ParameterSpec[]) => Moment;
  /** Changes the random weights (flat) that both networks start from. */
  readonly start?: (flat: Float32Array, specs: readonly ParameterSpec[]) => void;
  /** Fills the store's slots. */
  readonly generated?: GeneratedPool;
  /** The processes that share the micro-shards of the settings: this one alone if absent. */
  readonly exchange?: Exchange;
}

/** How far a training has come. */
export interface Moment {
  /** Iterations finished. */
  readonly iteration: number;
  /** Those that the last report has reached: all, if absent. */
  readonly reported?: number;
}

/** Iterations that a rotation of the resident patients lasts, where not all fit. */
const ROTATE_EVERY = 50;

export class Trainer {
  private readonly inFlight: InFlight;
  private readonly ring: ReadbackRing;

  private constructor(
    readonly memory: Memory,
    readonly store: VolumeStore,
    readonly config: TrainConfig,
    /** An iteration, or with micro-shards the update at its end. */
    readonly program: Program,
    readonly shards: MicroShards | undefined,
    readonly state: TrainState,
    readonly specs: readonly ParameterSpec[],
    /** Iterations finished, and those that the last report has reached. */
    public iteration: number,
    public reported: number,
    private readonly telemetry: Program | undefined,
    private readonly generated: GeneratedPool | undefined,
  ) {
    this.inFlight = new InFlight(memory.device);
    this.ring = new ReadbackRing(memory, state.log);
  }

  /** Records and compiles the iteration. */
  static async create(
    memory: Memory,
    store: VolumeStore,
    config: TrainConfig,
    options: TrainerOptions = {},
  ): Promise<Trainer> {
    const { kernels: choices, restore, start, generated, exchange = ALONE } = options;
    const specs = trainedParameters(config);
    const state = makeTrainState(specs, config);
    const compiling = [memory, store, state, config] as const;
    const shards =
      config.microShards === undefined
        ? undefined
        : await MicroShards.create(...compiling, exchange, choices);
    const program =
      shards?.programs.update ?? (await Trainer.compileIteration(...compiling, choices));
    let moment: Moment = { iteration: 0 };
    if (restore) moment = restore(state, specs);
    else {
      const flat = initialise(specs, config.seed);
      if (config.headPrior !== undefined) setHeadPrior(specs, flat, config.headPrior);
      start?.(flat, specs);
      memory.write(state.student.flat, flat);
      memory.write(state.momentum.flat, flat);
      if (state.earlier) memory.write(state.earlier.flat, flat);
      if (state.scale) memory.write(state.scale, Float32Array.of(FIRST_SCALE, 0, 0, 0));
    }
    const telemetry =
      state.earlier && (await Trainer.compileTelemetry(memory, store, config, state, choices));
    const { iteration, reported = iteration } = moment;
    const recorded = [memory, store, config, program, shards, state, specs] as const;
    return new Trainer(...recorded, iteration, reported, telemetry, generated);
  }

  private static compileIteration(
    memory: Memory,
    store: VolumeStore,
    state: TrainState,
    config: TrainConfig,
    choices: Choices | undefined,
  ): Promise<Program> {
    const g = graphFor(memory.device, { choices });
    recordIteration(g, memory, store, state, config);
    return Program.compile(memory, g, "iteration");
  }

  private static async compileTelemetry(
    memory: Memory,
    store: VolumeStore,
    config: TrainConfig,
    state: TrainState,
    choices: Choices | undefined,
  ): Promise<Program> {
    const g = graphFor(memory.device, { choices });
    recordTelemetry(g, memory, store, state, state.earlier!, config);
    return Program.compile(memory, g, "telemetry");
  }

  /**
   * Submits one iteration; returns while it may still run.
   * @param progress share of the budget used up, 0 to 1: decides the learning rate
   */
  async step(progress: number): Promise<void> {
    const { memory, store, config, state, iteration: t } = this;
    await store.rotateTo(store.complete ? 0 : Math.floor(t / ROTATE_EVERY));
    await this.generated?.bringTo(t);
    memory.write(state.coords, this.rows(this.drawn()));
    const momentum = emaMomentum(config.mu, t, config.muRamp);
    const step = stepValues(t, this.learningRate(progress), momentum, t % LOG_ROWS);
    putSelectionKey(step, config.seed, t);
    memory.write(state.step, step);
    const telemetry = isDue(t, config) ? this.telemetry : undefined;
    if (this.shards) await this.shards.run(telemetry);
    else {
      telemetry?.run();
      this.program.run();
    }
    this.iteration = t + 1;
    await this.inFlight.submitted();
  }

  private drawn(): DrawnPatches {
    const { store, config, iteration: t } = this;
    const { seed, patch, positive, generatedShare: share } = config;
    const options = { seed, patch, positive, count: sampleCount(config) };
    if (!store.slots) return drawPatches(store.resident, t, options);
    const generated = { volumes: store.slots.resident, share };
    return drawWithGenerated(store.resident, generated, t, options);
  }

  /** What the iteration's patches are cut out by. */
  private rows({ corners, anchors }: DrawnPatches): Int32Array | Uint32Array {
    const { seed, augment: parts, patch, spacing } = this.config;
    if (parts.length === 0) return corners;
    const statisticsOf = (row: number) => this.store.statisticsOf(row);
    const options = { seed, parts, patch, spacing, statisticsOf };
    return augmentedRows(corners, anchors, this.iteration, options);
  }

  private get programs(): readonly Program[] {
    return this.shards?.all ?? [this.program];
  }

  /** Dispatches of an iteration, or of each part of it, and bytes of its activations. */
  get stats(): Pick<ProgramStats, "dispatches" | "plannedBytes"> {
    const all = this.programs.map(({ stats }) => stats);
    const sum = (of: "dispatches" | "plannedBytes") => all.reduce((n, stats) => n + stats[of], 0);
    return { dispatches: sum("dispatches"), plannedBytes: sum("plannedBytes") };
  }

  learningRate(progress: number): number {
    return learningRateAt(this.config, progress);
  }

  /** Asks for the statistics since the last report; `handle` gets them a little later. */
  async report(handle: (statistics: Statistics) => void): Promise<void> {
    const { iteration } = this;
    const count = Math.min(iteration - this.reported, LOG_ROWS);
    this.reported = iteration;
    if (count < 1) return;
    await this.ring.request((log) => {
      const mean = (column: number) => {
        let sum = 0;
        for (let t = iteration - count; t < iteration; t++) {
          sum += log[(t % LOG_ROWS) * LOG_COLUMNS + column]!;
        }
        return sum / count;
      };
      const last = ((iteration - 1) % LOG_ROWS) * LOG_COLUMNS;
      const scaling = this.state.scale && {
        lossScale: log[last + 6]!,
        skippedSteps: log[last + 7]!,
      };
      const means = { loss: mean(0), positiveFraction: mean(1), poolError: mean(2) };
      const mining = miningTelemetry(log, iteration, count, this.config);
      handle({ iteration, ...means, ...mining, ...scaling });
    });
  }

  /** Gives the device memory back, but for the volumes; the trainer is of no use then. */
  release(): void {
    const kept = new Set(Object.values(this.store.bindings).map((t) => storageOf(t).id));
    for (const program of [...this.programs, this.telemetry]) {
      if (!program) continue;
      for (const t of storagesOf(program.dispatches)) {
        if (t.kind === "state" && !kept.has(t.id)) this.memory.release(t);
      }
      program.destroy();
    }
    this.shards?.release();
    this.ring.destroy();
  }

  /** Waits until the device has done everything and all reports have been handled. */
  async drain(): Promise<void> {
    await this.inFlight.drain();
    await this.ring.drain();
  }
}
