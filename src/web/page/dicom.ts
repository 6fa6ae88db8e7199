/** The FLAIR of an examination in DICOM, as the command line finds it: the same converter, the same choice. */
import { UserError } from "../../core/errors";
import { parseNifti } from "../../data/nifti_decode";
import { acquisitionOf } from "../../dicom/acquisition";
import { chooseSeries } from "../../dicom/choose_series";
import { conversionOf } from "../../dicom/conversion";
import type { NamedBytes } from "../../dicom/dcm2niix_module";
import { refuseTooMuch } from "../../dicom/limits";
import type { PageScan } from "./protocol";
import { dicomParts } from "./site";

/** To the worker, once. */
export interface ConvertRequest {
  readonly wasm: ArrayBuffer;
  readonly files: readonly File[];
}

/** From the worker: what the converter wrote and said, or why it failed. */
export type Reply =
  | { readonly written: readonly NamedBytes[]; readonly code: number; readonly lines: string[] }
  | { readonly failed: string };

const PROGRAM = "dcm2niix";
const ONE_SERIES = "give the files of one series";

/**
 * @param name stands for the examination
 * @throws UserError for what is no DICOM, and where it is not certain which series is the FLAIR
 */
export async function readDicom(name: string, files: readonly File[]): Promise<PageScan> {
  refuseTooMuch(
    name,
    files.length,
    files.reduce((sum, { size }) => sum + size, 0),
  );
  const { written, code, lines } = await converted(files);
  const bytesOf = (file: string) => written.find((each) => each.name === file)!.bytes;
  const outcome = {
    ...{ lines, code, names: written.map((each) => each.name) },
    read: (file: string, most?: number) => bytesOf(file).subarray(0, most),
  };
  const notes: string[] = [];
  const conversion = conversionOf(outcome, name, PROGRAM);
  notes.push(...conversion.notes);
  const chosen = chooseSeries(conversion, name, undefined, notes, ONE_SERIES);
  const image = parseNifti(bytesOf(chosen.file), name);
  const { PatientID: patient, StudyInstanceUID: examination } = chosen.sidecar;
  return {
    ...{ path: name, acquisition: acquisitionOf(chosen), patient, examination },
    image: { ...image, notes: [...notes, ...image.notes] },
  };
}

/** In a worker of a blob, which keeps the page's security policy, and which ends. */
async function converted(files: readonly File[]): Promise<Exclude<Reply, { failed: string }>> {
  const { script, wasm } = await dicomParts();
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(url, { name: PROGRAM, type: "module" });
  try {
    const reply = await new Promise<Reply>((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<Reply>) => resolve(data);
      worker.onerror = ({ message }) => resolve({ failed: message || "it cannot be started" });
      worker.postMessage({ wasm, files } satisfies ConvertRequest);
    });
    if (!("failed" in reply)) return reply;
    throw new UserError(`the DICOM files cannot be converted here (${reply.failed})`);
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}
