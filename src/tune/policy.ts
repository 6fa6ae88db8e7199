/** The policy of tuning: the time to tune, and the kernels in use until then. */
import type { Device } from "../gpu/device";
import type { Task } from "./task";
import { recall, type TuneEnd, type TuneOptions, tune } from "./tuner";

export const TUNE_MODES = ["off", "auto", "on", "force"] as const;
/**
 * "off": the defaults. "auto": what the cache has; on a GPU, what it has not is tuned, on a software
 * adapter it stays at the default. "on": what the cache has not is tuned. "force": all is tuned.
 */
export type TuneMode = (typeof TUNE_MODES)[number];

export interface Settled {
  /** Tasks that were to be tuned now, and how that ended. */
  readonly due: number;
  readonly end: TuneEnd;
}

/** Gives the tasks what the cache has, or what is found by tuning now. */
export async function settle(
  device: Device,
  tasks: readonly Task[],
  mode: TuneMode,
  options: TuneOptions,
): Promise<Settled> {
  if (mode === "off") return { due: 0, end: "all" };
  if (options.store) await recall(tasks, options.store);
  const mayTune = mode !== "auto" || device.info.type === "hardware";
  const due = mayTune ? tasks.filter((task) => mode === "force" || !task.entry) : [];
  if (due.length === 0) return { due: 0, end: "all" };
  return { due: due.length, end: await tune(device, due, options) };
}
