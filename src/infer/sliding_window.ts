/**
 * Overlap-averaged inference (the paper: windows of 32 on a grid of stride 24, overlapping
 * predictions averaged). Windows whose input is constant give one prediction per distinct input:
 * it is computed once. Everything stays on the device until the averaged volume is read.
 */
import { gatherPatches } from "../../kernels/gather_patches";
import { NO_WINDOW, overlapAdd } from "../../kernels/overlap_add";
import { overlapDivide } from "../../kernels/overlap_divide";
import { writeSlice } from "../../kernels/write_slice";
import type { Graph } from "../core/graph";
import { type Precision, state, type Tensor } from "../core/tensor";
import { DeviceVolume } from "../data/device_volume";
import { type DeviceSource, type VolumeSource, VolumeStore } from "../data/volume_store";
import { graphFor } from "../gpu/capabilities";
import { InFlight } from "../gpu/in_flight";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { constantKeys } from "./constant_windows";
import { COLUMNS, coverage, locate, type Window, windowGrid } from "./windows";

/** Records a network: x (n, 2 or 3, p, p, p) → probabilities (n, 1, p, p, p). */
export type Network = (g: Graph, x: Tensor) => Tensor;

/** What a prediction's time goes into. The first windows wait for drivers that compile late. */
export type Stage = "volumes" | "constant windows" | "compiling, first windows" | Repeated | "mean";
type Repeated = "network" | "overlap";

export interface SlidingWindowOptions {
  readonly patch: number;
  readonly stride: number;
  /** Windows per run of the network. */
  readonly batch: number;
  /** How the network's activations are stored: f32 if absent. */
  readonly precision?: Precision;
  /** The network's third channel is visit 2 − visit 1. */
  readonly difference?: boolean;
  /** Compute constant windows one by one all the same; for tests. */
  readonly everyWindow?: boolean;
  /** Called with the number of windows that are handed to the device. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called when the device has ended a stage, or a part of one. */
  readonly onStage?: (stage: Stage) => void;
  /** Ends the prediction with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Probabilities on the grid of `source`, x fastest.
 * @throws the signal's reason when interrupted
 */
export async function predictVolume(
  memory: Memory,
  network: Network,
  source: VolumeSource | DeviceSource,
  options: SlidingWindowOptions,
): Promise<Float32Array> {
  const mean = await predictOnDevice(memory, network, source, options);
  try {
    return await mean.read();
  } finally {
    mean.release();
  }
}

/** As predictVolume; the volume stays on the device, and the caller releases it. */
export async function predictOnDevice(
  memory: Memory,
  network: Network,
  source: VolumeSource | DeviceSource,
  options: SlidingWindowOptions,
): Promise<DeviceVolume> {
  const { patch, stride } = options;
  const stored = { half: false, budget: Number.MAX_SAFE_INTEGER, patch };
  const store = VolumeStore.create(memory, [source], stored);
  const windows = windowGrid(source.size, patch, stride);
  const sum = new DeviceVolume(memory, "sum", source.size);
  const run = new Prediction(memory, store, sum, options);
  try {
    await store.rotateTo(0);
    await run.ended("volumes");
    const keys = await constantKeys(memory, store, windows, patch);
    await run.ended("constant windows");
    await run.compile(network);
    await run.computeWindows(windows, keys);
    await run.average();
    await run.ended("mean");
    return sum;
  } catch (error) {
    sum.release();
    throw error;
  } finally {
    run.release();
    store.release();
  }
}

class Prediction {
  private readonly states: Tensor[] = [];
  private readonly programs: Program[] = [];
  private readonly inFlight: InFlight;
  private readonly coords: Tensor;
  private readonly list: Tensor;
  private readonly predicted: Tensor;
  private forward!: Program;
  private accumulate!: Program;
  private done = 0;

  constructor(
    private readonly memory: Memory,
    private readonly store: VolumeStore,
    /** The sum over windows, at last their mean. */
    private readonly sum: DeviceVolume,
    private readonly options: SlidingWindowOptions,
  ) {
    const { batch, patch } = options;
    this.inFlight = new InFlight(memory.device);
    this.coords = this.state("window_coords", [batch, COLUMNS], "u32");
    this.list = this.state("windows", [batch, COLUMNS], "u32");
    this.predicted = this.state("predicted", [batch, 1, patch, patch, patch]);
  }

  /** Waits for the device and reports the stage. */
  async ended(stage: Stage): Promise<void> {
    if (!this.options.onStage) return;
    await this.memory.device.idle();
    this.options.onStage(stage);
  }

  /** Reports the stage once the device has come so far; does not wait. */
  private passed(stage: Repeated): void {
    const { onStage } = this.options;
    if (!onStage) return;
    const reported = this.done === 0 ? "compiling, first windows" : stage;
    const { queue } = this.memory.device.device;
    // A lost device is reported by the next wait.
    queue.onSubmittedWorkDone().then(
      () => onStage(reported),
      () => undefined,
    );
  }

  private state(name: string, shape: readonly number[], dtype: "f32" | "u32" = "f32"): Tensor {
    const t = state(name, shape, dtype);
    this.states.push(t);
    return t;
  }

  private graph(): Graph {
    return graphFor(this.memory.device);
  }

  private async program(g: Graph, name: string, keep: Tensor[] = []): Promise<Program> {
    const program = await Program.compile(this.memory, g, name, keep);
    this.programs.push(program);
    return program;
  }

  private get patchSize() {
    const { patch } = this.options;
    return [patch, patch, patch] as const;
  }

  async compile(network: Network): Promise<void> {
    const g = this.graph();
    const { store, coords, predicted, list } = this;
    const { precision: dtype, difference } = this.options;
    const size = this.patchSize;
    const attrs = { size, half: store.half, label: false, difference, dtype };
    const { x } = g.apply(gatherPatches, { ...store.bindings, coords }, attrs);
    g.apply(writeSlice, { dst: predicted, src: network(g, x!) }, { offset: 0 });
    this.forward = await this.program(g, "predict");
    const add = this.graph();
    for (const { z0, tensor: sum } of this.sum.slabs) {
      const where = { size: this.patchSize, z0, D: this.sum.size[2] };
      add.apply(overlapAdd, { p: predicted, windows: list, sum }, where);
    }
    this.accumulate = await this.program(add, "overlap");
  }

  /** The varying windows in grid order, then the constant ones: one network run per distinct key. */
  async computeWindows(
    windows: readonly Window[],
    keys: readonly (string | undefined)[],
  ): Promise<void> {
    const { batch, everyWindow } = this.options;
    const order = windows.map((_, i) => i).sort((a, b) => rank(keys[a]) - rank(keys[b]) || a - b);
    const groups = new Map<string, number[]>();
    for (const i of order) {
      const key = everyWindow ? undefined : keys[i];
      const name = key ?? `window ${i}`;
      const group = groups.get(name);
      if (group) group.push(i);
      else groups.set(name, [i]);
    }
    const all = [...groups.values()];
    for (let from = 0; from < all.length; from += batch) {
      await this.computeGroups(windows, all.slice(from, from + batch), windows.length);
    }
    await this.inFlight.drain();
  }

  /** One network run on the first window of each group, added at every window of the group. */
  private async computeGroups(
    windows: readonly Window[],
    groups: readonly (readonly number[])[],
    total: number,
  ): Promise<void> {
    const { batch, patch, signal, onProgress } = this.options;
    signal?.throwIfAborted();
    const coords = new Int32Array(batch * COLUMNS);
    coords.set(groups.flatMap((group) => locate(this.store, windows[group[0]!]!, patch)));
    this.memory.write(this.coords, coords);
    this.forward.run();
    this.passed("network");
    const targets = groups
      .flatMap((group, row) => group.map((i) => ({ i, row })))
      .map(({ i, row }) => [...windows[i]!, row]);
    for (let from = 0; from < targets.length; from += batch) {
      const part = targets.slice(from, from + batch);
      const rows = new Int32Array(batch * COLUMNS).fill(NO_WINDOW | 0);
      rows.set(part.flat());
      this.memory.write(this.list, rows);
      this.accumulate.run();
      this.passed("overlap");
      await this.inFlight.submitted();
      this.done += part.length;
      onProgress?.(this.done, total);
    }
  }

  /** Divides the sums by each voxel's window count. */
  async average(): Promise<void> {
    const [nx, ny, nz] = this.sum.size;
    const { patch, stride } = this.options;
    const counts = { countZ: nz, countY: ny, countX: nx };
    const tensors: Record<string, Tensor> = {};
    for (const [name, n] of Object.entries(counts)) {
      tensors[name] = this.state(name, [n]);
      this.memory.write(tensors[name], coverage(n, patch, stride));
    }
    const g = this.graph();
    for (const { z0, tensor } of this.sum.slabs) {
      g.apply(overlapDivide, { ...tensors, sum: tensor }, { z0 });
    }
    const program = await this.program(g, "overlap_divide");
    program.run();
  }

  release(): void {
    for (const program of this.programs) program.destroy();
    for (const t of this.states) this.memory.release(t);
  }
}

const rank = (key: string | undefined) => (key === undefined ? 0 : 1);
