/** The pictures of a run folder: curves, and a slice of each validation patient. */
import { join } from "node:path";
import type { Mask, Volume } from "../data/volume";
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

/** Path of a validation patient's picture; a patient may be called "curves". */
export function patientPicture(folder: { readonly path: string }, id: string): string {
  const name = `${id}.png`;
  return join(folder.path, name === CURVES ? `patient-${name}` : name);
}

/**
 * Draws for each validation patient that was predicted the slice with most lesion.
 * @param visitsOf on the grid of the truth
 */
export async function drawRunPatients<P extends Pick<ValidationPatient, "patient" | "truth">>(
  folder: RunFolder,
  patients: readonly P[],
  visitsOf: (patient: P) => Promise<{ visit1: Volume; visit2: Volume }>,
  predictions: ReadonlyMap<string, Mask>,
  iteration: number,
  observer: Pick<Observer, "note">,
): Promise<void> {
  for (const each of patients) {
    const { patient, truth } = each;
    const prediction = predictions.get(patient.id);
    if (!prediction) continue;
    const path = patientPicture(folder, patient.id);
    await orNote(observer, path, async () => {
      const { drawPatient } = await import("../pictures/patient");
      const visits = await visitsOf(each);
      const title = `${patient.id}, iteration ${iteration}`;
      drawPatient({ ...visits, truth, prediction, title, path });
    });
  }
}
