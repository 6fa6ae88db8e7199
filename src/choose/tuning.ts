/** Tunes before the work begins: takes choices from the cache, or makes them now. */
import { ops } from "../../kernels/index";
import type { Precision } from "../core/tensor";
import type { Picked } from "../core/variant";
import { capabilities } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import type { ModelInfo } from "../infer/model_info";
import { type DeviceChoices, windowBatch } from "../infer/window_batch";
import { FileTuneStore } from "../platform/tune_store";
import { opTasks } from "../tune/op_tasks";
import { settle } from "../tune/policy";
import type { Task } from "../tune/task";
import { Limit } from "../tune/timing";
import { tunedChoices } from "./device_choices";
import { during, type TuneObserver } from "./observer";
import type { TuneFlags } from "./tune_options";
import { windowBatchTask } from "./window_batch";
import { windowPicks } from "./window_kernels";

/** The programs that will run. */
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
 * The fastest kernels and window batches that are known, or found now, for what will run.
 * @param signal ends the tuning: `interrupted` tells, and what was tuned is kept
 */
export async function tuneDevice(
  device: Device,
  needs: Needs,
  flags: TuneFlags,
  observer: TuneObserver,
  signal?: AbortSignal,
): Promise<Tuned> {
  if (flags.tune === "off") {
    observer.note("kernels: the defaults (--tune off)");
    return { choices: {}, tasks: [], left: 0, interrupted: false };
  }
  const tuned = await during(observer, "tuning", () =>
    settled(device, needs, flags, observer, signal),
  );
  const text = tunedText(device, tuned);
  if (text !== undefined) observer.note(text);
  return tuned;
}

async function settled(
  device: Device,
  { picks, models, batch, precision = "f32" }: Needs,
  { tune: mode, tuneSeconds }: TuneFlags,
  observer: TuneObserver,
  signal: AbortSignal | undefined,
): Promise<Tuned> {
  const note = (line: string) => observer.note(line);
  const store = new FileTuneStore(note);
  const limit = new Limit(tuneSeconds);
  const settleMore = async (more: readonly Task[]): Promise<number> => {
    const { end } = await settle(device, more, mode, {
      store,
      seconds: limit.secondsLeft,
      signal,
      onProgress: (at) => observer.onTuning?.(at),
      onRefused: note,
    });
    return end === "all" ? 0 : more.filter((task) => !task.entry).length;
  };
  const caps = capabilities(device);
  const windows = models.map((model) =>
    windowPicks(caps, model, windowBatch(device, { ...model, precision }, batch), precision),
  );
  const kernelTasks = await opTasks(device, Object.values(ops), [...picks, ...windows.flat()]);
  let left = await settleMore(kernelTasks);
  const { kernels } = tunedChoices(kernelTasks, []);
  const batchTasks: Task[] = [];
  for (const model of batch === undefined ? models : []) {
    const task = await windowBatchTask(device, { ...model, precision }, kernels);
    if (!task) continue;
    batchTasks.push(task);
    left += await settleMore([task]);
  }
  const choices = tunedChoices(kernelTasks, batchTasks);
  const tasks = [...kernelTasks, ...batchTasks];
  return { choices, tasks, left, interrupted: signal?.aborted ?? false };
}

/** How many choices are as tuned; undefined where there was nothing to choose. */
function tunedText({ info }: Device, { tasks, left, interrupted }: Tuned): string | undefined {
  if (tasks.length === 0) return undefined;
  const known = tasks.filter((task) => task.entry).length;
  if (known === 0) {
    return `kernels: the defaults for ${info.kind} adapters; \`bun run tune\` looks for better ones`;
  }
  const rest = tasks.length - known;
  const late = left > 0 && !interrupted;
  const why = late ? " for lack of time (tuned next time, or with more --tune-seconds)" : "";
  const others = rest > 0 ? `, ${rest} by default${why}` : "";
  return `kernels: ${known} of ${tasks.length} choices as tuned${others}`;
}
