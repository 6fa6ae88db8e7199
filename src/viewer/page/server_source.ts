/** Results of a server beside this page: src/viewer/server.ts. */
import { parseMask, parseNifti } from "../../data/nifti_decode";
import type { Mask, Volume } from "../../data/volume";
import type { Decisions } from "../../result/decisions";
import { RESULT_FILES, type ResultRecord } from "../../result/record";
import type { OpenedResult, PatientEntry, Source } from "./source";

interface Opened {
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

async function openResult(at: (...parts: string[]) => URL): Promise<OpenedResult> {
  // Both visits are under way while the server checks the mask.
  const about = answered(at()).then((response) => response.json() as Promise<Opened>);
  const [opened, visit1, visit2] = await Promise.all([
    about,
    volume(at, "visit1"),
    volume(at, "visit2"),
  ]);
  const { record, decisions, corrected } = opened;
  const { files } = record;
  const [mask, correctedMask, probability, change] = await Promise.all([
    masked(at, "mask"),
    corrected ? masked(at, "corrected") : undefined,
    files.probability ? volume(at, "probability") : undefined,
    files.change ? volume(at, "change") : undefined,
  ]);
  const images = { visit1, visit2, mask, corrected: correctedMask, probability, change };
  return { record, decisions, ...images };
}

type Named = keyof typeof RESULT_FILES;

async function bytesOf(at: (...parts: string[]) => URL, name: Named): Promise<Uint8Array> {
  const { body } = await answered(at(RESULT_FILES[name]));
  const inflated = body!.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

const volume = async (at: (...parts: string[]) => URL, name: Named): Promise<Volume> =>
  parseNifti(await bytesOf(at, name), RESULT_FILES[name]);

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
