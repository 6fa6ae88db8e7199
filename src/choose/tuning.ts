/** Tunes at the start of a command: takes choices from the cache, or makes them now with a bar. */
import { ops } from "../../kernels/index";
import type { Precision } from "../core/tensor";
import type { Picked } from "../core/variant";
import { capabilities } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import type { ModelInfo } from "../infer/model";
import { type DeviceChoices, windowBatch } from "../infer/window_batch";
import { FileTuneStore } from "../platform/tune_store";
import { say } from "../terminal/command";
import { INTERRUPTED, watchInterrupt } from "../terminal/interrupt";
import { Limit } from "../tune/contest";
import { opTasks } from "../tune/op_tasks";
import { settle } from "../tune/policy";
import type { Task } from "../tune/task";
import { tunedChoices } from "./device_choices";
import { tuningProgress } from "./progress";
import type { TuneFlags } from "./tune_options";
import { windowBatchTask } from "./window_batch";
import { windowPicks } from "./window_kernels";

/** The programs that a command will run. */
export interface Needs {
  /** Of the programs that it records, beside those of the models' windows. */
  readonly picks: readonly Picked[];
  /** Networks that predict by sliding windows. */
  readonly models: readonly ModelInfo[];
  /** How the networks' activations are stored: f32 if absent. */
  readonly precision?: Precision;
  /** Windows per run of the network, where the user says so. */
  readonly batch?: number;
}

export interface Tuned {
  /** The fastest that are known. */
  readonly choices: DeviceChoices;
  readonly tasks: readonly Task[];
  /** Not tuned for lack of time, or because the user stopped it: defaults for the time being. */
  readonly left: number;
  readonly interrupted: boolean;
}

/**
 * The fastest kernels and window batches that are known, or found now, for what a command needs.
 * Ctrl-C ends it: `interrupted` tells, and the exit code is set.
 */
export async function tuneDevice(device: Device, needs: Needs, flags: TuneFlags): Promise<Tuned> {
  const mode = flags.tune;
  if (mode === "off") {
    say("kernels: the defaults (--tune off)");
    return { choices: {}, tasks: [], left: 0, interrupted: false };
  }
  const store = new FileTuneStore(say);
  const limit = new Limit(flags.tuneSeconds);
  const progress = tuningProgress();
  const interrupt = watchInterrupt(() => progress.note("interrupted: what was tuned is kept"));
  let wasTuning = false;
  const settleMore = async (more: readonly Task[]): Promise<number> => {
    const { due, end } = await settle(device, more, mode, {
      store,
      seconds: limit.secondsLeft,
      signal: interrupt.signal,
      onProgress: (at) => progress.update(at),
      onRefused: (line) => progress.note(line),
    });
    wasTuning ||= due > 0;
    return end === "all" ? 0 : more.filter((task) => !task.entry).length;
  };
  try {
    const caps = capabilities(device);
    const { models, batch, precision = "f32" } = needs;
    const windows = models.map((model) =>
      windowPicks(caps, model, windowBatch(device, { ...model, precision }, batch), precision),
    );
    const picks = [...needs.picks, ...windows.flat()];
    const kernelTasks = await opTasks(device, Object.values(ops), picks);
    let left = await settleMore(kernelTasks);
    const { kernels } = tunedChoices(kernelTasks, []);
    const batchTasks: Task[] = [];
    for (const model of batch === undefined ? models : []) {
      const task = await windowBatchTask(device, { ...model, precision }, kernels);
      if (!task) continue;
      batchTasks.push(task);
      left += await settleMore([task]);
    }
    const tasks = [...kernelTasks, ...batchTasks];
    if (wasTuning) progress.stop();
    const interrupted = interrupt.signal.aborted;
    sayTuned(device, tasks, left, interrupted);
    if (interrupted) process.exitCode = INTERRUPTED;
    return { choices: tunedChoices(kernelTasks, batchTasks), tasks, left, interrupted };
  } finally {
    interrupt.dispose();
  }
}

function sayTuned(
  { info }: Device,
  tasks: readonly Task[],
  left: number,
  interrupted: boolean,
): void {
  if (tasks.length === 0) return;
  const known = tasks.filter((task) => task.entry).length;
  if (known === 0) {
    say(`kernels: the defaults for ${info.kind} adapters; \`bun run tune\` looks for better ones`);
    return;
  }
  const rest = tasks.length - known;
  const late = left > 0 && !interrupted;
  const why = late ? " for lack of time (tuned next time, or with more --tune-seconds)" : "";
  const others = rest > 0 ? `, ${rest} by default${why}` : "";
  say(`kernels: ${known} of ${tasks.length} choices as tuned${others}`);
}
