/** The pictures of a run folder: curves, and a slice of each validation patient. */
import { join } from "node:path";
import { loadPatient } from "../data/patient";
import type { Mask } from "../data/volume";
import type { TrainConfig } from "../settings/config";
import type { Observer } from "./observer";
import { type RunFolder, readMetrics } from "./run_folder";
import type { ValidationPatient } from "./validate";

const CURVES = "curves.png";

/**
 * A picture that cannot be drawn costs a line, not the run. The library that draws is loaded within
 * `draw`: a machine that cannot load it trains all the same.
 */
async function orNote(
  observer: Pick<Observer, "note">,
  path: string,
  draw: () => Promise<void>,
): Promise<void> {
  try {
    await draw();
  } catch (error) {
    const message = (error as Error).message.split("\n")[0]!;
    observer.note(message.startsWith(path) ? message : `${path}: cannot be drawn: ${message}`);
  }
}

/** Draws `curves.png` from what metrics.jsonl holds. */
export async function drawRunCurves(
  folder: RunFolder,
  { preset, sampler, seed }: TrainConfig,
  observer: Pick<Observer, "note">,
): Promise<void> {
  const path = join(folder.path, CURVES);
  const title = `${preset} · ${sampler} · seed ${seed}`;
  await orNote(observer, path, async () => {
    const { drawCurves } = await import("../pictures/curves");
    drawCurves(readMetrics(folder), path, title);
  });
}

/** Draws for each validation patient that was predicted the slice with most lesion. */
export async function drawRunPatients(
  folder: RunFolder,
  patients: readonly Pick<ValidationPatient, "patient" | "truth">[],
  predictions: ReadonlyMap<string, Mask>,
  iteration: number,
  observer: Pick<Observer, "note">,
): Promise<void> {
  for (const { patient, truth } of patients) {
    const prediction = predictions.get(patient.id);
    if (!prediction) continue;
    const name = `${patient.id}.png`;
    // A patient may be called "curves".
    const path = join(folder.path, name === CURVES ? `patient-${name}` : name);
    await orNote(observer, path, async () => {
      const { drawPatient } = await import("../pictures/patient");
      const { time1: visit1, time2: visit2 } = await loadPatient(patient);
      const title = `${patient.id}, iteration ${iteration}`;
      drawPatient({ visit1, visit2, truth, prediction, title, path });
    });
  }
}
