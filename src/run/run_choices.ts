/** Keeps a training run on the same kernels and window batches from its first iteration to its last. */
import { keptChoices } from "../choose/device_choices";
import { iterationPicks } from "../choose/iteration_kernels";
import type { TuneFlags } from "../choose/tune_options";
import { tuneDevice } from "../choose/tuning";
import { windowBatchKey } from "../choose/window_batch";
import { windowPicks } from "../choose/window_kernels";
import { problemKey } from "../core/variant";
import { adapterText } from "../gpu/adapter";
import { capabilities } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { type DeviceChoices, windowBatch } from "../infer/window_batch";
import type { TrainConfig } from "../settings/config";
import type { Observer } from "./observer";
import { type RunFolder, readChoices, writeChoices } from "./run_folder";
import { modelInfo } from "./trained_weights";

/**
 * Chooses them: a resumed run keeps what it began with on this adapter, so that it goes on bit for
 * bit.
 * @throws the signal's reason when interrupted; what was tuned is kept for the next time
 */
export async function chooseForRun(
  device: Device,
  config: TrainConfig,
  resumed: RunFolder | undefined,
  flags: TuneFlags,
  observer: Observer,
  signal?: AbortSignal,
): Promise<DeviceChoices> {
  const kept = resumed && readChoices(resumed, adapterText(device.info));
  if (kept) {
    observer.note("kernels: those that the run began with");
    return keptChoices(kept.variants);
  }
  const picks = iterationPicks(capabilities(device), config);
  const needs = { picks, models: [modelInfo(config)], precision: config.precision };
  const { choices } = await tuneDevice(device, needs, flags, observer, signal);
  signal?.throwIfAborted();
  return choices;
}

/**
 * Writes what the run will use into its folder, and says where that is not what it began with.
 * @returns it, as `keptChoices` takes it
 */
export function keepChoices(
  device: Device,
  { kernels, windowBatch: tunedBatch }: DeviceChoices,
  config: TrainConfig,
  folder: RunFolder,
  observer: Observer,
): Readonly<Record<string, string>> {
  const caps = capabilities(device);
  const model = { ...modelInfo(config), precision: config.precision };
  const batch = windowBatch(device, model, tunedBatch?.(model));
  const picks = [
    ...iterationPicks(caps, config, kernels),
    ...windowPicks(caps, model, batch, config.precision, kernels),
  ];
  const gone = new Set(
    picks.flatMap(({ op, problem, chosen }) => {
      const wanted = kernels?.(op, problem);
      return wanted === undefined || wanted === chosen ? [] : [wanted];
    }),
  );
  if (gone.size > 0) {
    observer.note(`kernels that no longer exist: ${[...gone].join(", ")}; others take their place`);
  }
  const chosen = picks.map(({ op, problem, chosen }) => [problemKey(op, problem), chosen] as const);
  const variants = { ...Object.fromEntries(chosen), [windowBatchKey(model)]: `${batch}` };
  writeChoices(folder, { adapter: adapterText(device.info), variants });
  return variants;
}
