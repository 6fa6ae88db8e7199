/**
 * Overlap-averaged inference (the paper: windows of 32 on a grid of stride 24, overlapping
 * predictions averaged). Windows whose input is constant give one prediction per distinct input:
 * it is computed once. Everything stays on the device until the averaged volume is read.
 */
import { gatherPatches } from "../../kernels/gather_patches";
import { NO_WINDOW, overlapAdd } from "../../kernels/overlap_add";
import { overlapDivide } from "../../kernels/overlap_divide";
import { windowRange } from "../../kernels/window_range";
import { writeSlice } from "../../kernels/write_slice";
import { Graph } from "../core/graph";
import { state, type Tensor } from "../core/tensor";
import type { Size3 } from "../data/volume";
import { type VolumeSource, VolumeStore } from "../data/volume_store";
import { capabilities } from "../gpu/capabilities";
import { InFlight } from "../gpu/in_flight";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { coverage, type Window, windowGrid } from "./windows";

/** Records a network: x (n, 2, p, p, p) → probabilities (n, 1, p, p, p). */
export type Network = (g: Graph, x: Tensor) => Tensor;

export interface SlidingWindowOptions {
  readonly patch: number;
  readonly stride: number;
  /** Windows per run of the network. */
  readonly batch: number;
  /** Compute constant windows one by one all the same; for tests. */
  readonly everyWindow?: boolean;
  /** Called with the number of windows that are done. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the prediction with the signal's reason. */
  readonly signal?: AbortSignal;
}

const COLUMNS = 4;
/** Windows whose range one dispatch measures. */
const RANGE_BATCH = 512;

/**
 * Probabilities on the grid of `source`, x fastest.
 * @throws the signal's reason when interrupted
 */
export async function predictVolume(
  memory: Memory,
  network: Network,
  source: VolumeSource,
  options: SlidingWindowOptions,
): Promise<Float32Array> {
  const store = VolumeStore.create(memory, [source], {
    half: false,
    budget: Number.MAX_SAFE_INTEGER,
    patch: options.patch,
  });
  await store.rotateTo(0);
  const windows = windowGrid(source.size, options.patch, options.stride);
  const run = new Prediction(memory, store, source.size, options);
  try {
    await run.compile(network);
    const keys = await run.constantKeys(windows);
    await run.computeWindows(windows, keys);
    return await run.average();
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
  /** The sum over windows, in slabs of planes that one binding holds. */
  private readonly pages: readonly { readonly z0: number; readonly sum: Tensor }[];
  private forward!: Program;
  private accumulate!: Program;
  private done = 0;

  constructor(
    private readonly memory: Memory,
    private readonly store: VolumeStore,
    private readonly size: Size3,
    private readonly options: SlidingWindowOptions,
  ) {
    const { batch, patch } = options;
    this.inFlight = new InFlight(memory.device);
    this.coords = this.state("window_coords", [batch, COLUMNS], "u32");
    this.list = this.state("windows", [batch, COLUMNS], "u32");
    this.predicted = this.state("predicted", [batch, 1, patch, patch, patch]);
    const [nx, ny, nz] = size;
    const most = Math.floor(capabilities(memory.device).maxBindingBytes / (4 * nx * ny));
    this.pages = Array.from({ length: Math.ceil(nz / most) }, (_, i) => {
      const planes = Math.min(most, nz - i * most);
      return { z0: i * most, sum: this.state(`sum${i}`, [planes, ny, nx]) };
    });
  }

  private state(name: string, shape: readonly number[], dtype: "f32" | "u32" = "f32"): Tensor {
    const t = state(name, shape, dtype);
    this.states.push(t);
    return t;
  }

  private graph(): Graph {
    return new Graph(capabilities(this.memory.device));
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
    const attrs = { size: this.patchSize, half: store.half, label: false };
    const { x } = g.apply(gatherPatches, { ...store.bindings, coords }, attrs);
    g.apply(writeSlice, { dst: predicted, src: network(g, x!) }, { offset: 0 });
    this.forward = await this.program(g, "predict");
    const add = this.graph();
    for (const { z0, sum } of this.pages) {
      const where = { size: this.patchSize, z0, D: this.size[2] };
      add.apply(overlapAdd, { p: predicted, windows: list, sum }, where);
    }
    this.accumulate = await this.program(add, "overlap");
  }

  /** Row of the volume table and z within it: the first slab that holds the whole window. */
  private locate([z, y, x]: Window): number[] {
    const { patch } = this.options;
    const slabs = this.store.resident;
    const slab = slabs.find((s) => z + patch <= s.z0 + s.size[2]) ?? slabs.at(-1)!;
    return [slab.row, z - slab.z0, y, x];
  }

  /**
   * For each window the key of its input when both channels are constant, else undefined.
   * Windows with equal keys have equal inputs.
   */
  async constantKeys(windows: readonly Window[]): Promise<(string | undefined)[]> {
    const coords = this.state("range_coords", [RANGE_BATCH, COLUMNS], "u32");
    const g = this.graph();
    const attrs = { size: this.patchSize, half: this.store.half };
    const { range } = g.apply(windowRange, { ...this.store.bindings, coords }, attrs);
    const program = await this.program(g, "window_range", [range!]);
    const keys: (string | undefined)[] = [];
    for (let from = 0; from < windows.length; from += RANGE_BATCH) {
      const part = windows.slice(from, from + RANGE_BATCH);
      this.memory.write(coords, Int32Array.from(part.flatMap((w) => this.locate(w))));
      program.run();
      const values = await this.memory.readF32(range!, program.bufferOf(range!));
      for (let i = 0; i < part.length; i++) {
        const [min1, max1, min2, max2] = values.subarray(i * 4, i * 4 + 4);
        keys.push(min1 === max1 && min2 === max2 ? `${min1} ${min2}` : undefined);
      }
    }
    return keys;
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
    const { batch, signal, onProgress } = this.options;
    signal?.throwIfAborted();
    const coords = new Int32Array(batch * COLUMNS);
    coords.set(groups.flatMap((group) => this.locate(windows[group[0]!]!)));
    this.memory.write(this.coords, coords);
    this.forward.run();
    const targets = groups
      .flatMap((group, row) => group.map((i) => ({ i, row })))
      .map(({ i, row }) => [...windows[i]!, row]);
    for (let from = 0; from < targets.length; from += batch) {
      const part = targets.slice(from, from + batch);
      const rows = new Int32Array(batch * COLUMNS).fill(NO_WINDOW | 0);
      rows.set(part.flat());
      this.memory.write(this.list, rows);
      this.accumulate.run();
      await this.inFlight.submitted();
      this.done += part.length;
      onProgress?.(this.done, total);
    }
  }

  /** The sums divided by each voxel's window count. */
  async average(): Promise<Float32Array> {
    const [nx, ny, nz] = this.size;
    const { patch, stride } = this.options;
    const counts = { countZ: nz, countY: ny, countX: nx };
    const tensors: Record<string, Tensor> = {};
    for (const [name, n] of Object.entries(counts)) {
      tensors[name] = this.state(name, [n]);
      this.memory.write(tensors[name], coverage(n, patch, stride));
    }
    const result = new Float32Array(nx * ny * nz);
    for (const { z0, sum } of this.pages) {
      const g = this.graph();
      const { y } = g.apply(overlapDivide, { ...tensors, sum }, { z0 });
      const program = await this.program(g, "overlap_divide", [y!]);
      program.run();
      result.set(await this.memory.readF32(y!, program.bufferOf(y!)), z0 * nx * ny);
    }
    return result;
  }

  release(): void {
    for (const program of this.programs) program.destroy();
    for (const t of this.states) this.memory.release(t);
  }
}

const rank = (key: string | undefined) => (key === undefined ? 0 : 1);
