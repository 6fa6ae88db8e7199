import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { UserError } from "../../core/errors";
import { writeAtomically, writeNewFile } from "../../platform/atomic_file";
import { cacheDir, cacheOnce } from "../../platform/cache";
import { REFERENCE_EXTENT } from "./anatomy";
import type { PatientSettings } from "./patient";
import type { PatientResult, PatientSummary, PatientTask } from "./worker";

/** Raise it with every change that alters a voxel: cached cohorts of older versions are left. */
const GENERATOR_VERSION = 3;
const MANIFEST = "phantom.json";
/** More workers than this gain little and hold about 16 bytes per voxel each. */
const MOST_WORKERS = 8;

export interface PhantomSettings extends PatientSettings {
  readonly patients: number;
}

/** Called whenever a patient is written. */
export type PhantomProgress = (done: number, total: number) => void;

/** A quarter of these patients have no new lesion; 1 mm voxels, 104 × 128 × 80 of them. */
export const DEFAULT_PHANTOM: PhantomSettings = {
  patients: 22,
  seed: 0,
  spacing: 1,
  fieldOfView: REFERENCE_EXTENT,
};

/**
 * The folder of a phantom cohort in the MSSEG-2 layout, made once and then kept in the cache. The
 * same settings give the same files; a longer cohort begins with the patients of a shorter one.
 *
 * @throws UserError for settings out of range, or when the cache cannot be written
 */
export async function ensurePhantom(
  settings: Partial<PhantomSettings> = {},
  onProgress?: PhantomProgress,
): Promise<string> {
  const all = checkPhantom({ ...DEFAULT_PHANTOM, ...settings });
  const text = JSON.stringify([GENERATOR_VERSION, all.patients, identity(all)]);
  const key = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const folder = cacheDir("phantom", key);
  await cacheOnce(folder, (temporary) => writePhantom(temporary, all, onProgress));
  return folder;
}

/**
 * Writes a cohort into an existing empty folder: `patientNNN/`, and `phantom.json`, which appears
 * last and says how the cohort was made and which lesions it has.
 */
export async function writePhantom(
  root: string,
  settings: Partial<PhantomSettings> = {},
  onProgress?: PhantomProgress,
): Promise<void> {
  const all = checkPhantom({ ...DEFAULT_PHANTOM, ...settings });
  const patients = await writeAll(root, all, onProgress);
  const manifest = { generator: GENERATOR_VERSION, settings: all, patients };
  writeAtomically(join(root, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Takes an empty folder for `writePhantom`; false where another process did. */
export const claimPhantom = (root: string): boolean => writeNewFile(join(root, MANIFEST), "{}\n");

function identity({ seed, spacing, fieldOfView }: PatientSettings): PatientSettings {
  return { seed, spacing, fieldOfView };
}

/** @throws UserError naming the setting that is out of range */
export function checkPhantom(settings: PhantomSettings): PhantomSettings {
  const { patients, seed, spacing, fieldOfView } = settings;
  const demand = (ok: boolean, option: string, value: unknown, expected: string) => {
    if (!ok) throw new UserError(`phantom: ${option} is ${value}; expected ${expected}`);
  };
  demand(
    Number.isInteger(patients) && patients >= 1 && patients <= 999,
    "patients",
    patients,
    "a whole number from 1 to 999",
  );
  demand(Number.isSafeInteger(seed) && seed >= 0, "seed", seed, "a whole number ≥ 0");
  demand(spacing >= 0.4 && spacing <= 2, "spacing", spacing, "0.4 to 2 mm");
  demand(
    fieldOfView.length === 3 && fieldOfView.every((e) => e >= 80 && e <= 256),
    "field of view",
    fieldOfView.join("×"),
    "three edges of 80 to 256 mm",
  );
  return settings;
}

/** Spreads the patients over workers; the first error ends them all. */
async function writeAll(
  root: string,
  settings: PhantomSettings,
  onProgress?: PhantomProgress,
): Promise<PatientSummary[]> {
  const total = settings.patients;
  const summaries: PatientSummary[] = [];
  let next = 0;
  let done = 0;
  const runOne = async () => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url));
    try {
      while (next < total) {
        const index = next++;
        summaries[index] = await ask(worker, { settings: identity(settings), root, index });
        onProgress?.(++done, total);
      }
    } catch (error) {
      next = total;
      throw error;
    } finally {
      await worker.terminate();
    }
  };
  onProgress?.(0, total);
  const count = Math.min(total, MOST_WORKERS, availableParallelism());
  const outcomes = await Promise.allSettled(Array.from({ length: count }, runOne));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return summaries;
}

function ask(worker: Worker, task: PatientTask): Promise<PatientSummary> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      worker.removeAllListeners();
      settle();
    };
    worker.once("message", (result: PatientResult) =>
      finish(() => {
        if ("summary" in result) resolve(result.summary);
        else reject(result.isUserError ? new UserError(result.error) : new Error(result.error));
      }),
    );
    worker.once("error", (error) => finish(() => reject(error)));
    worker.postMessage(task);
  });
}
