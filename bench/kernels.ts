/** Every distinct dispatch of the recorded programs, by itself, next to the controls. */
import { ops } from "../kernels/index";
import type { Cost } from "../src/core/cost";
import { stepsOf } from "../src/gpu/stopwatch";
import type { PresetName } from "../src/settings/presets";
import { makeTrainConfig } from "../src/settings/presets";
import type { Bench } from "./bench";
import { bandwidth } from "./ceilings";
import { DispatchClone } from "./clone";
import { opOf } from "./cost";
import { type Recording, recordPreparation, recordTraining, recordWindows } from "./record";
import type { Ceilings, Control, KernelRow } from "./report/schema";
import { type DispatchRow, RowBook } from "./rows";

/**
 * GFLOP/s (or, for what computes nothing, GB/s) over what min(peak, bandwidth × intensity) allows.
 * Peak and bandwidth are those of the ceilings, moved by how the controls beside the row differ.
 */
export function rooflineShare(
  { flops, bytes }: Cost,
  milliseconds: number,
  ceilings: Ceilings,
  control: Control,
): number {
  const peak = control.gflops;
  const copies = (bandwidth(ceilings) * control.gbs) / ceilings.copyVec4Gbs;
  const least = Math.max(flops / peak, bytes / copies) / 1e6;
  return milliseconds > 0 ? least / milliseconds : 0;
}

export async function measureRow(bench: Bench, row: DispatchRow): Promise<KernelRow> {
  const { memory, stopwatch, controls, ceilings, settings } = bench;
  const { dispatch, cost, id, launches, hasRun } = row;
  const clone = await DispatchClone.create(memory, dispatch);
  const { run, firstMs } = await stopwatch.prepare(stepsOf(clone.program));
  const { milliseconds, spread, control } = await controls.beside(run, settings.repetitions);
  clone.release();
  return {
    id,
    op: opOf(dispatch.label),
    kernel: dispatch.kernel.name,
    ...(dispatch.variant && { variant: dispatch.variant }),
    sizes: dispatch.sizes,
    launches,
    ...cost,
    milliseconds,
    spread,
    control,
    gflops: cost.flops / milliseconds / 1e6,
    gbs: cost.bytes / milliseconds / 1e6,
    roofline: rooflineShare(cost, milliseconds, ceilings, control),
    compileSeconds: hasRun ? null : Math.max(0, clone.compileMs + firstMs - milliseconds) / 1000,
  };
}

/** In this order, so that training's kernels have not been compiled before they are timed. */
function recordings(bench: Bench): (() => Promise<Recording>)[] {
  const { memory, settings } = bench;
  const { kernels } = bench.choices;
  const training = (preset: PresetName) => () => {
    const config = makeTrainConfig(preset, { chunk: bench.sizes(preset).patches });
    return recordTraining(memory, config, { variants: settings.variants, choices: kernels });
  };
  const windows = (preset: PresetName) => () =>
    recordWindows(memory, makeTrainConfig(preset, {}), bench.sizes(preset).patches, kernels);
  return [
    ...settings.presets.map(training),
    ...settings.presets.map(windows),
    () => recordPreparation(memory),
  ];
}

/** Registered ops that have no launch in any of the labels. */
export function unusedOps(labels: Iterable<string>): string[] {
  const used = new Set([...labels].map((label) => opOf(label).replace(".backward", "")));
  return Object.values(ops).flatMap(({ name }) => (used.has(name) ? [] : [name]));
}

/** @param onRow gets each row as it is done */
export async function measureKernels(
  bench: Bench,
  onRow: (row: KernelRow) => void,
): Promise<{ kernels: KernelRow[]; unusedOps: string[] }> {
  const book = new RowBook();
  const kernels: KernelRow[] = [];
  const labels = new Set<string>();
  for (const record of recordings(bench)) {
    const recording = await record();
    for (const { label } of recording.dispatches) labels.add(label);
    for (const row of bench.select(book.add(recording))) {
      kernels.push(await measureRow(bench, row));
      onRow(kernels.at(-1)!);
    }
  }
  return { kernels, unusedOps: unusedOps(labels) };
}
