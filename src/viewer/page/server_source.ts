/** Results of a server beside this page: src/viewer/server.ts. */
import { parseMask, parseNifti } from "../../data/nifti_decode";
import type { Mask, Volume } from "../../data/volume";
import type { Decisions } from "../../result/decisions";
import { requireOneGrid } from "../../result/parts";
import { RESULT_FILES, type ResultRecord } from "../../result/record";
import type { PatientEntry, ShownResult, Source } from "./source";

/** What the server says of a result. */
export interface OpenedRecord {
  readonly record: ResultRecord;
  readonly decisions?: Decisions;
  readonly corrected: boolean;
}

/** @param base address of the page, with its last slash */
export function serverSource(base: string): Source {
  const at = (...parts: string[]) => new URL(["results", ...parts].join("/"), base);
  return {
    reportAddress: (id) => at(id, "report").href,
    list: async () => (await answered(at())).json() as Promise<PatientEntry[]>,
    open: (id) => openResult((...parts) => at(id, ...parts)),
    async save(id, decisions, corrected) {
      const form = new FormData();
      form.set("decisions", JSON.stringify(decisions));
      form.set("mask", new Blob([corrected.data as Uint8Array<ArrayBuffer>]));
      await answered(at(id, "decisions"), { method: "PUT", body: form });
    },
  };
}

async function openResult(at: (...parts: string[]) => URL): Promise<ShownResult> {
  // All that the first picture needs is under way at once.
  const about = answered(at()).then((response) => response.json() as Promise<OpenedRecord>);
  const correction = about.then(({ corrected }) =>
    corrected ? masked(at, "corrected") : undefined,
  );
  const [{ record, decisions }, visit1, visit2, mask, corrected] = await Promise.all([
    about,
    volume(at, "visit1"),
    volume(at, "visit2"),
    masked(at, "mask"),
    correction,
  ]);
  if (corrected) requireOneGrid(corrected, mask, RESULT_FILES.corrected);
  const later = (name: "probability" | "change") =>
    record.files[name] && (() => volume(at, name, record.created));
  const maps = { probability: later("probability"), change: later("change") };
  return { record, decisions, visit1, visit2, mask, corrected, ...maps };
}

type Named = keyof typeof RESULT_FILES;

/** @param created of the result that is meant; absent: the one that is there */
async function bytesOf(
  at: (...parts: string[]) => URL,
  name: Named,
  created?: string,
): Promise<Uint8Array> {
  const url = at(RESULT_FILES[name]);
  if (created !== undefined) url.searchParams.set("created", created);
  const { body } = await answered(url);
  const inflated = body!.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

const volume = async (
  at: (...parts: string[]) => URL,
  name: Named,
  created?: string,
): Promise<Volume> => parseNifti(await bytesOf(at, name, created), RESULT_FILES[name]);

const masked = async (at: (...parts: string[]) => URL, name: Named): Promise<Mask> =>
  parseMask(await bytesOf(at, name), RESULT_FILES[name]);

/** @throws Error with the server's reason */
async function answered(url: URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch(() => {
    throw new Error(
      "the viewer’s program does not answer: it was ended, or the connection is lost",
    );
  });
  if (response.ok) return response;
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  throw new Error(error ?? `${url.pathname}: ${response.status}`);
}
