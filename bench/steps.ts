/** Measures whole steps: time, host time, memory, bytes moved, and time by kernel. */

import { totalCost } from "../src/core/cost";
import type { Device } from "../src/gpu/device";
import { median } from "../src/gpu/stopwatch";
import type { PresetName } from "../src/settings/presets";
import type { Bench } from "./bench";
import { breakdown, merged, timedBy } from "./breakdown";
import { compileDispatches } from "./clone";
import { cube } from "./noise";
import type { StepRow } from "./report/schema";
import { forwardPass, type StepWork, slidingWindows, trainingStep } from "./step_work";

interface Step {
  readonly id: string;
  readonly preset: PresetName;
  readonly make: () => StepWork | Promise<StepWork>;
}

function stepsOfPreset(bench: Bench, preset: PresetName): Step[] {
  const { device } = bench;
  const { kernels } = bench.choices;
  const { pool, batch, volume } = bench.sizes(preset);
  const name = (what: string) => `${preset} ${what}`;
  const config = bench.config(preset);
  return [
    {
      id: name(`forward ${pool}`),
      preset,
      make: () => forwardPass(device, config, pool, kernels),
    },
    {
      id: name(`train ${batch}`),
      preset,
      make: () => trainingStep(device, bench.config(preset, { sampler: "uniform" }), kernels),
    },
    {
      id: name(`iteration ${pool}/${batch}`),
      preset,
      make: () => trainingStep(device, config, kernels),
    },
    {
      id: name(`windows ${volume}³`),
      preset,
      make: () => slidingWindows(device, config, cube(volume), bench.windowBatch(config), kernels),
    },
  ];
}

/** Milliseconds of processor time of this thread since `before`. */
function hostMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** From now on adds up the processor time that `device` spends waiting; returns its reading. */
function countWaiting(device: Device): () => number {
  let waiting = 0;
  const wait = device.wait.bind(device);
  device.wait = async (promise) => {
    const before = process.threadCpuUsage();
    try {
      return await wait(promise);
    } finally {
      waiting += hostMs(before);
    }
  };
  return () => waiting;
}

async function measureStep(
  bench: Bench,
  { id, preset, make }: Step,
  waiting: () => number,
): Promise<StepRow> {
  const { device, stopwatch, controls, settings } = bench;
  const work = await make();
  const hosts: number[] = [];
  const run = async () => {
    const start = performance.now();
    const [before, waited] = [process.threadCpuUsage(), waiting()];
    await work.submit();
    hosts.push(Math.max(0, hostMs(before) - (waiting() - waited)));
    await device.idle();
    return performance.now() - start;
  };
  await run(); // compiles
  hosts.length = 0;
  const { milliseconds, spread, control } = await controls.beside(run, settings.repetitions);
  const allocatedBytes = work.allocatedBytes();
  const parts = [];
  let [dispatches, flops, bytes, plannedBytes] = [0, 0, 0, 0];
  for (const [program, runs] of [...work.programs()]) {
    const { memory } = work;
    const live = work.keepsPrograms
      ? program
      : await compileDispatches(memory, program.dispatches, program.name);
    live.run(); // the first run of new buffers is slow
    parts.push(await breakdown(memory, stopwatch, live, runs));
    if (live !== program) live.destroy();
    const cost = totalCost(program.dispatches);
    dispatches += runs * program.dispatches.length;
    flops += runs * cost.flops;
    bytes += runs * cost.bytes;
    plannedBytes += program.stats.plannedBytes;
  }
  work.release();
  return {
    id,
    preset,
    patches: work.patches,
    milliseconds,
    spread,
    control,
    hostMilliseconds: median(hosts),
    dispatches,
    flops,
    bytes,
    plannedBytes,
    allocatedBytes,
    kernels: merged(parts),
    timedBy: timedBy(work.memory),
  };
}

/** @param onRow gets each row as it is done */
export async function measureSteps(
  bench: Bench,
  onRow: (row: StepRow) => void,
): Promise<StepRow[]> {
  const steps = bench.settings.presets.flatMap((preset) => stepsOfPreset(bench, preset));
  const waiting = countWaiting(bench.device);
  const rows: StepRow[] = [];
  for (const step of bench.select(steps)) {
    rows.push(await measureStep(bench, step, waiting));
    onRow(rows.at(-1)!);
  }
  return rows;
}
