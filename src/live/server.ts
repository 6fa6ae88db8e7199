/** The server of the live page: its files, the events of the runs, and their patients' pictures. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../core/errors";
import { openRunFolder } from "../run/run_folder";
import { patientPicture } from "../run/run_pictures";
import { HEADERS, isToken, refusal } from "../viewer/guard";
import { type PageFile, pageFiles } from "../viewer/page_files";
import { eventStream } from "./event_stream";
import type { NamedRun } from "./find_runs";

const PAGE = join(import.meta.dir, "page");
const HIGHEST_PORT = 65535;
/** Ports that are tried one after the other. */
const TRIES = 100;

export interface LiveServer {
  /** With the token. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface LivePort {
  /** Of 127.0.0.1; 0: any that is free. */
  readonly port: number;
  /** Takes the next free port where that one is taken. */
  readonly orNext: boolean;
}

/** @throws UserError where the port is taken, or is none */
export async function serveRuns(
  runs: readonly NamedRun[],
  { port, orNext }: LivePort,
): Promise<LiveServer> {
  if (port > HIGHEST_PORT) throw new UserError(`--port ${port}: a port is at most ${HIGHEST_PORT}`);
  const files = new Map([...(await pageFiles(PAGE)), ["uplot.css", uplotStyle()]]);
  const page = new LivePage(runs, randomBytes(24).toString("base64url"), files);
  for (let tried = port; ; tried++) {
    try {
      const server = Bun.serve({
        ...{ hostname: "127.0.0.1", port: tried, idleTimeout: 0 },
        fetch: (request, { port: own }) => page.answer(request, own ?? 0),
      });
      const url = `http://127.0.0.1:${server.port}/${page.token}/`;
      return { url, stop: () => server.stop(true) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (orNext && tried < Math.min(port + TRIES, HIGHEST_PORT)) continue;
      throw new UserError(
        `--port ${port}: is taken by another program; name another, or leave it out`,
      );
    }
  }
}

function uplotStyle(): PageFile {
  const path = fileURLToPath(import.meta.resolve("uplot/dist/uPlot.min.css"));
  return { type: "text/css; charset=utf-8", body: readFileSync(path) };
}

class LivePage {
  constructor(
    private readonly runs: readonly NamedRun[],
    readonly token: string,
    private readonly files: ReadonlyMap<string, PageFile>,
  ) {}

  answer(request: Request, port: number): Response {
    const why = refusal(request, port);
    if (why !== undefined) return refuse(403, why);
    const [token = "", ...parts] = new URL(request.url).pathname.slice(1).split("/");
    if (!isToken(token, this.token)) {
      return refuse(403, "no such page: use the address that was printed");
    }
    if (request.method !== "GET") return refuse(405, "not allowed");
    try {
      return this.route(parts);
    } catch (error) {
      if (error instanceof UserError) return refuse(422, error.message);
      throw error;
    }
  }

  private route([first = "", run = "", kind = "", place = ""]: string[]): Response {
    if (first === "events") {
      return respond(eventStream(this.runs), "text/event-stream");
    }
    if (first === "runs") {
      const path = kind === "pictures" ? this.picture(run, place) : undefined;
      return path === undefined
        ? refuse(404, "no such picture")
        : respond(Bun.file(path), "image/png");
    }
    const file = this.files.get(first);
    if (!file) return refuse(404, "no such file");
    return respond(file.body as Uint8Array<ArrayBuffer> | string, file.type);
  }

  /** Path of the picture of a run's validation patient, both by their places. */
  private picture(run: string, place: string): string | undefined {
    if (!/^\d+$/.test(run) || !/^\d+$/.test(place)) return undefined;
    const named = this.runs[Number(run)];
    const patient = named && openRunFolder(named.path).split.val[Number(place)];
    if (named === undefined || patient === undefined) return undefined;
    const path = patientPicture(named, patient);
    return existsSync(path) ? path : undefined;
  }
}

const refuse = (status: number, error: string): Response =>
  Response.json({ error }, { status, headers: HEADERS });

type Body = ConstructorParameters<typeof Response>[0];

const respond = (body: Body, type: string): Response =>
  new Response(body, { headers: { ...HEADERS, "Content-Type": type } });
