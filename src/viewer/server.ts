/** The viewer's server: the page, the results' files as they lie, and the place where decisions go. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { checked } from "../core/json";
import type { Mask } from "../data/volume";
import { decisionsSchema } from "../result/decisions";
import { readDecisions, writeDecisions } from "../result/decisions_file";
import { RESULT_FILES } from "../result/record";
import { readRecord, readResultMask } from "../result/result_folder";
import { HEADERS, isToken, refusal } from "./guard";
import type { OpenedRecord } from "./page/server_source";
import { type PageFile, pageFiles } from "./page_files";
import { writeReadReport } from "./read_report";
import { entryOf } from "./worklist";

export interface ViewerServer {
  /** With the token. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Files of a result that the page may read. */
const IMAGES: readonly string[] = (
  ["mask", "visit1", "visit2", "probability", "change", "corrected"] as const
).map((name) => RESULT_FILES[name]);

const ANEW = "the result was predicted anew meanwhile: reload the page";

/** A mask of the largest grid that is read, and some text. */
const MOST_BYTES = 2 ** 30;

/**
 * @param folders of results; the page calls them by their places in this list
 * @param port 0: any that is free
 * @throws UserError where the port is taken
 */
export async function serveViewer(folders: readonly string[], port = 0): Promise<ViewerServer> {
  const token = randomBytes(24).toString("base64url");
  const viewer = new Viewer(folders, token, await pageFiles());
  try {
    const server = Bun.serve({
      ...{ hostname: "127.0.0.1", port, maxRequestBodySize: MOST_BYTES },
      fetch: (request, { port: own }) => viewer.answer(request, own ?? 0),
    });
    return {
      url: `http://127.0.0.1:${server.port}/${token}/`,
      async stop() {
        await server.stop(true);
        await viewer.reports;
      },
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new UserError(
      `--port ${port}: is taken by another program; name another, or leave it out`,
    );
  }
}

const json = (value: unknown, status = 200): Response =>
  Response.json(value, { status, headers: HEADERS });

const refuse = (status: number, error: string): Response => json({ error }, status);

class Viewer {
  /** Reports that are being written, one after the other. */
  reports: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly folders: readonly string[],
    private readonly token: string,
    private readonly page: ReadonlyMap<string, PageFile>,
  ) {}

  async answer(request: Request, port: number): Promise<Response> {
    const why = refusal(request, port);
    if (why !== undefined) return refuse(403, why);
    const [token = "", ...parts] = new URL(request.url).pathname.slice(1).split("/");
    if (!isToken(token, this.token))
      return refuse(403, "no such page: use the address that was printed");
    try {
      return await this.route(request, parts);
    } catch (error) {
      if (error instanceof UserError) return refuse(422, error.message);
      throw error;
    }
  }

  private async route(
    request: Request,
    [first = "", id = "", name = ""]: string[],
  ): Promise<Response> {
    if (first !== "results") return this.file(first);
    if (id === "") return json(this.folders.map((folder, i) => entryOf(folder, String(i))));
    const folder = /^\d+$/.test(id) ? this.folders[Number(id)] : undefined;
    if (folder === undefined) return refuse(404, "no such result");
    if (request.method === "PUT" && name === "decisions") return this.save(request, folder);
    if (request.method !== "GET") return refuse(405, "not allowed");
    if (name === "") return json(opened(folder));
    if (name === "report") return report(await writeReadReport(folder));
    if (!IMAGES.includes(name) || !existsSync(join(folder, name)))
      return refuse(404, "no such file");
    const created = new URL(request.url).searchParams.get("created");
    if (created !== null && created !== readRecord(folder).created) return refuse(409, ANEW);
    const headers = { ...HEADERS, "Content-Type": "application/octet-stream" };
    return new Response(Bun.file(join(folder, name)), { headers });
  }

  private async save(request: Request, folder: string): Promise<Response> {
    const response = await save(request, folder);
    const { finished } = response;
    // The reader goes on meanwhile; what fails here is told where the report is asked for.
    if (finished) this.reports = this.reports.then(() => writeReadReport(folder)).catch(() => {});
    return response.response;
  }

  private file(name: string): Response {
    const found = this.page.get(name);
    if (!found) return refuse(404, "no such file");
    const headers = { ...HEADERS, "Content-Type": found.type };
    return new Response(found.body as Uint8Array<ArrayBuffer> | string, { headers });
  }
}

/** Record and decisions. The page itself checks that mask and corrected mask fit, while it reads them. */
function opened(folder: string): OpenedRecord {
  const record = readRecord(folder);
  const decisions = readDecisions(folder, record);
  return { record, decisions, corrected: existsSync(join(folder, RESULT_FILES.corrected)) };
}

/** The corrected mask comes as its voxels; its grid is that of the result's mask on disk. */
async function save(
  request: Request,
  folder: string,
): Promise<{ response: Response; finished: boolean }> {
  const refused = (response: Response) => ({ response, finished: false });
  const form = await request.formData();
  const [text, voxels] = [form.get("decisions"), form.get("mask")];
  if (typeof text !== "string" || !(voxels instanceof Blob))
    return refused(refuse(400, "decisions and mask"));
  const record = readRecord(folder);
  const decisions = checked(parsed(text), decisionsSchema, "decisions", "reload the page");
  if (decisions.result !== record.created) {
    return refused(refuse(409, ANEW));
  }
  const mask = await readResultMask(folder, record);
  const data = new Uint8Array(await voxels.arrayBuffer());
  if (data.length !== mask.data.length || data.some((value) => value > 1)) {
    return refused(refuse(400, `a mask of ${mask.data.length} voxels of 0 and 1`));
  }
  const corrected: Mask = { size: mask.size, affine: mask.affine, data };
  await writeDecisions(folder, decisions, corrected);
  return { response: json({ saved: true }), finished: decisions.finished !== null };
}

/** A report has its styles inside, and no scripts. */
function report(html: string): Response {
  const policy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";
  const type = { "Content-Type": "text/html; charset=utf-8" };
  return new Response(html, {
    headers: { ...HEADERS, "Content-Security-Policy": policy, ...type },
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError("decisions: not valid JSON; reload the page");
  }
}
