/** The other files of the site that the page asks for. */
import type { PredictorParts } from "./predictor";
import type { SiteWeights, WeightsFile } from "./protocol";

/** The worker's script and the weights. @throws Error where the site does not answer */
export async function predictorParts(): Promise<PredictorParts> {
  const [script, index] = await Promise.all([
    asked("worker.js").then((answer) => answer.text()),
    asked("weights.json").then((answer) => answer.json() as Promise<SiteWeights>),
  ]);
  const weights = await Promise.all(
    index.files.map(async ({ name, sha256 }): Promise<WeightsFile> => {
      const bytes = new Uint8Array(await (await asked(name)).arrayBuffer());
      return { name, sha256, bytes };
    }),
  );
  return { script, weights };
}

/** The DICOM converter: asked for when the first DICOM comes. @throws Error as above */
export async function dicomParts(): Promise<{ script: string; wasm: ArrayBuffer }> {
  const [script, wasm] = await Promise.all([
    asked("dicom.js").then((answer) => answer.text()),
    asked("dcm2niix.wasm").then((answer) => answer.arrayBuffer()),
  ]);
  return { script, wasm };
}

async function asked(name: string): Promise<Response> {
  const answer = await fetch(name).catch(() => undefined);
  if (answer?.ok) return answer;
  throw new Error(`${name}: this site does not answer; reload the page`);
}

/** Keeps the site's files for times without a network. Left out where the browser has no such place. */
export function keepOffline(): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register("service_worker.js").catch((error) => console.warn(error));
}
