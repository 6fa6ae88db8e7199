/** The server of the live page: its files, the events of the runs, and their patients' pictures. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { openRunFolder, type RunFolder } from "../run/run_folder";
import { patientPicture } from "../run/run_pictures";
import { HEADERS, isToken, refusal } from "../viewer/guard";
import { type PageFile, pageFiles, uplotStyle } from "../viewer/page_files";
import { serveViewer, type ViewerServer } from "../viewer/server";
import { eventStream } from "./event_stream";
import type { NamedRun } from "./find_runs";
import { validatedResult } from "./validated_result";

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
      const stop = async () => {
        await server.stop(true);
        await page.stop();
      };
      return { url, stop };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (orNext && tried < Math.min(port + TRIES, HIGHEST_PORT)) continue;
      throw new UserError(
        `--port ${port}: is taken by another program; name another, or leave it out`,
      );
    }
  }
}

class LivePage {
  /** Of validation patients, by the folders of their results. */
  private readonly viewers = new Map<string, ViewerServer>();

  constructor(
    private readonly runs: readonly NamedRun[],
    readonly token: string,
    private readonly files: ReadonlyMap<string, PageFile>,
  ) {}

  async answer(request: Request, port: number): Promise<Response> {
    const why = refusal(request, port);
    if (why !== undefined) return refuse(403, why);
    const [token = "", ...parts] = new URL(request.url).pathname.slice(1).split("/");
    if (!isToken(token, this.token)) {
      return refuse(403, "no such page: use the address that was printed");
    }
    if (request.method !== "GET") return refuse(405, "not allowed");
    try {
      return await this.route(parts);
    } catch (error) {
      if (error instanceof UserError) return refuse(422, error.message);
      throw error;
    }
  }

  private async route([first = "", run = "", kind = "", place = ""]: string[]): Promise<Response> {
    if (first === "events") {
      return respond(eventStream(this.runs), "text/event-stream");
    }
    if (first === "runs") return this.ofPatient(run, kind, place);
    const file = this.files.get(first);
    if (!file) return refuse(404, "no such file");
    return respond(file.body as Uint8Array<ArrayBuffer> | string, file.type);
  }

  /** About a run's validation patient, both by their places. */
  private async ofPatient(run: string, kind: string, place: string): Promise<Response> {
    const isPlace = [run, place].every((text) => /^\d+$/.test(text));
    const named = isPlace ? this.runs[Number(run)] : undefined;
    const folder = named && openRunFolder(named.path);
    const patient = folder?.split.val[Number(place)];
    if (folder === undefined || patient === undefined) return refuse(404, "no such patient");
    if (kind === "viewer") return this.openViewer(folder, patient);
    const path = patientPicture(folder, patient);
    if (kind !== "pictures" || !existsSync(path)) return refuse(404, "no such picture");
    return respond(Bun.file(path), "image/png");
  }

  /** The viewer has an address of its own, which the page is sent to. */
  private async openViewer(run: RunFolder, patient: string): Promise<Response> {
    const folder = await validatedResult(run, patient);
    const viewer = this.viewers.get(folder) ?? (await serveViewer([folder]));
    this.viewers.set(folder, viewer);
    return new Response(null, { status: 303, headers: { ...HEADERS, Location: viewer.url } });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.viewers.values()].map((viewer) => viewer.stop()));
  }
}

const refuse = (status: number, error: string): Response =>
  Response.json({ error }, { status, headers: HEADERS });

type Body = ConstructorParameters<typeof Response>[0];

const respond = (body: Body, type: string): Response =>
  new Response(body, { headers: { ...HEADERS, "Content-Type": type } });
