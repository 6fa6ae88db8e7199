/** One network over all windows of a volume: its predictions are added to a sum on the device. */
import { flipRows } from "../../kernels/rows/flip_rows";
import { writeSlice } from "../../kernels/rows/write_slice";
import { gatherPatches } from "../../kernels/volume/gather_patches";
import { NO_WINDOW, overlapAdd } from "../../kernels/windows/overlap_add";
import type { Graph } from "../core/graph";
import { state, type Tensor } from "../core/tensor";
import type { DeviceVolume } from "../data/device_volume";
import type { VolumeStore } from "../data/volume_store";
import { graphFor } from "../gpu/capabilities";
import { InFlight } from "../gpu/in_flight";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { grouped } from "./grouped";
import { flipsOf } from "./mirror";
import type { BatchedNetwork, Repeated, WindowOptions } from "./window_options";
import { COLUMNS, locate, type Window, windowProfile } from "./windows";

/** Windows that take one network run: their inputs are equal. */
type Group = readonly number[];

/** A network run: the first window of the group, mirrored. */
interface Row {
  readonly group: Group;
  readonly flip: number;
}

export class WindowPass {
  private readonly states: Tensor[] = [];
  private readonly programs: Program[] = [];
  private readonly inFlight: InFlight;
  private readonly coords: Tensor;
  private readonly flips: Tensor;
  private readonly list: Tensor;
  private readonly predicted: Tensor;
  private forward!: Program;
  private accumulate!: Program;
  private done = 0;

  constructor(
    private readonly memory: Memory,
    private readonly store: VolumeStore,
    private readonly sum: DeviceVolume,
    private readonly batch: number,
    private readonly options: WindowOptions,
  ) {
    const { patch } = options;
    this.inFlight = new InFlight(memory.device);
    this.coords = this.state("window_coords", [batch, COLUMNS], "u32");
    this.flips = this.state("window_flips", [batch], "u32");
    this.list = this.state("windows", [batch, COLUMNS], "u32");
    this.predicted = this.state("predicted", [batch, 1, patch, patch, patch]);
  }

  private state(name: string, shape: readonly number[], dtype: "f32" | "u32" = "f32"): Tensor {
    const t = state(name, shape, dtype);
    this.states.push(t);
    return t;
  }

  private async program(g: Graph, name: string): Promise<Program> {
    const program = await Program.compile(this.memory, g, name);
    this.programs.push(program);
    return program;
  }

  async compile({ network, difference }: BatchedNetwork): Promise<void> {
    const { store, coords, flips, predicted, list, options } = this;
    const { patch, precision: dtype, kernels } = options;
    const size = [patch, patch, patch] as const;
    const g = graphFor(this.memory.device, { choices: kernels });
    const attrs = { size, half: store.half, label: false, difference, dtype };
    const { x } = g.apply(gatherPatches, { ...store.bindings, coords }, attrs);
    const flipped = (t: Tensor) => (options.mirror ? g.apply(flipRows, { x: t, flips }, {}).y! : t);
    const p = flipped(network(g, flipped(x!)));
    g.apply(writeSlice, { dst: predicted, src: p }, { offset: 0 });
    this.forward = await this.program(g, "predict");
    const weights = this.state("window_weights", [3 * patch]);
    const profile = windowProfile(patch, options.windowWeights ?? "uniform");
    this.memory.write(weights, Float32Array.from([...profile, ...profile, ...profile]));
    const add = graphFor(this.memory.device);
    for (const { z0, tensor: sum } of this.sum.slabs) {
      const where = { size, z0, D: this.sum.size[2] };
      add.apply(overlapAdd, { p: predicted, windows: list, weights, sum }, where);
    }
    this.accumulate = await this.program(add, "overlap");
  }

  /**
   * The varying windows in grid order, then the constant ones: one network run per distinct key and
   * flip.
   * @param keys of the windows, from constantKeys
   * @param onWindows called with the number of windows that are added, each as often as it is flipped
   */
  async run(
    windows: readonly Window[],
    keys: readonly (string | undefined)[],
    onWindows: (count: number) => void,
  ): Promise<void> {
    const flips = flipsOf(this.options.mirror ?? "");
    const found = groupsOf(keys);
    const groups = this.options.everyWindow ? found.flat().map((i) => [i]) : found;
    const rows = groups.flatMap((group) => flips.map((flip): Row => ({ group, flip })));
    for (let from = 0; from < rows.length; from += this.batch) {
      await this.runRows(windows, rows.slice(from, from + this.batch), onWindows);
    }
    await this.inFlight.drain();
  }

  /** One network run, added at every window of each group. */
  private async runRows(
    windows: readonly Window[],
    rows: readonly Row[],
    onWindows: (count: number) => void,
  ): Promise<void> {
    const { batch } = this;
    const { patch, signal } = this.options;
    signal?.throwIfAborted();
    const coords = new Int32Array(batch * COLUMNS);
    coords.set(rows.flatMap(({ group }) => locate(this.store, windows[group[0]!]!, patch)));
    this.memory.write(this.coords, coords);
    const flips = new Uint32Array(batch);
    flips.set(rows.map(({ flip }) => flip));
    this.memory.write(this.flips, flips);
    this.forward.run();
    this.passed("network");
    const targets = rows.flatMap(({ group }, row) => group.map((i) => [...windows[i]!, row]));
    for (let from = 0; from < targets.length; from += batch) {
      const part = targets.slice(from, from + batch);
      const list = new Int32Array(batch * COLUMNS).fill(NO_WINDOW | 0);
      list.set(part.flat());
      this.memory.write(this.list, list);
      this.accumulate.run();
      this.passed("overlap");
      await this.inFlight.submitted();
      this.done += part.length;
      onWindows(part.length);
    }
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

  release(): void {
    for (const program of this.programs) program.destroy();
    for (const t of this.states) this.memory.release(t);
  }
}

/** Windows without a key, each by itself, then those of each key. */
function groupsOf(keys: readonly (string | undefined)[]): Group[] {
  const all = [...keys.keys()];
  const varying = all.filter((i) => keys[i] === undefined).map((i) => [i]);
  const constant = all.filter((i) => keys[i] !== undefined);
  return [...varying, ...grouped(constant, (i) => keys[i]!)];
}
