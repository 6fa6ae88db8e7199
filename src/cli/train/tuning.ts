/** Keeps a training run on the same kernels from its first iteration to its last. */

import { iterationPicks } from "../../choose/iteration_kernels";
import type { TuneFlags } from "../../choose/tune_options";
import { tuneDevice } from "../../choose/tuning";
import { windowPicks } from "../../choose/window_kernels";
import { problemKey } from "../../core/variant";
import { capabilities } from "../../gpu/capabilities";
import type { Device } from "../../gpu/device";
import { windowBatch, windowBatchKey } from "../../infer/window_batch";
import { modelInfo } from "../../run/checkpoint";
import { type RunFolder, readChoices, writeChoices } from "../../run/run_folder";
import type { TrainConfig } from "../../settings/config";
import { say } from "../../terminal/command";
import { adapterText } from "../../tune/task";

/**
 * Chooses them: a resumed run keeps what it began with on this adapter, so that it goes on bit for
 * bit. False when interrupted.
 */
export async function tuneRun(
  device: Device,
  config: TrainConfig,
  resumed: RunFolder | undefined,
  flags: TuneFlags,
): Promise<boolean> {
  const kept = resumed && readChoices(resumed, adapterText(device));
  if (kept) {
    device.choices = (op, problem) => kept.variants[problemKey(op, problem)];
    say("kernels: those that the run began with");
    return true;
  }
  const picks = iterationPicks(capabilities(device), config);
  const needs = { picks, models: [modelInfo(config)], precision: config.precision };
  return !(await tuneDevice(device, needs, flags)).interrupted;
}

/** Writes what the run will use into its folder, and says where that is not what it began with. */
export function keepChoices(device: Device, config: TrainConfig, folder: RunFolder): void {
  const caps = capabilities(device);
  const model = { ...modelInfo(config), precision: config.precision };
  const batch = windowBatch(device, model);
  const picks = [
    ...iterationPicks(caps, config, device.choices),
    ...windowPicks(caps, model, batch, config.precision, device.choices),
  ];
  const gone = new Set(
    picks.flatMap(({ op, problem, chosen }) => {
      const wanted = device.choices?.(op, problem);
      return wanted === undefined || wanted === chosen ? [] : [wanted];
    }),
  );
  if (gone.size > 0) {
    say(`kernels that no longer exist: ${[...gone].join(", ")}; others take their place`);
  }
  const variants = picks.map(
    ({ op, problem, chosen }) => [problemKey(op, problem), chosen] as const,
  );
  writeChoices(folder, {
    adapter: adapterText(device),
    variants: { ...Object.fromEntries(variants), [windowBatchKey(model)]: `${batch}` },
  });
}
