/** A worker in a page of a browser of its own. */
import type { HostWorker, WorkerEnd } from "../host";
import { Channel } from "./channel";

/** As much of a browser and a page as is used here, of playwright-core's and of puppeteer-core's. */
export interface Browser {
  version(): string | Promise<string>;
  newPage(): Promise<Page>;
  close(): Promise<void>;
  on(event: "disconnected", listener: () => void): void;
}

interface Page {
  goto(url: string): Promise<unknown>;
  exposeFunction(name: string, body: (json: string | null) => void): Promise<void>;
  evaluate(expression: string): Promise<unknown>;
  on(event: (typeof ENDS)[number], listener: () => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
}

/** The events that say so: playwright-core's, puppeteer-core's, and that of a page that is gone. */
const ENDS = ["crash", "error", "close"] as const;

const HTML = `<!doctype html>
<meta charset="utf-8">
<title>voxgrad</title>
<script type="module" src="program.mjs"></script>
`;
/** Isolated pages have finer clocks. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

function serveProgram(program: string) {
  const answer = (body: string, type: string) =>
    new Response(body, { headers: { ...HEADERS, "Content-Type": `${type}; charset=utf-8` } });
  return Bun.serve({
    hostname: "localhost",
    port: 0,
    routes: {
      "/": () => answer(HTML, "text/html"),
      "/program.mjs": () => answer(program, "text/javascript"),
      "/favicon.ico": new Response(null, { status: 204 }),
    },
  });
}

export class WorkerPage implements HostWorker {
  readonly messages = new Channel<unknown>();
  readonly ended: Promise<WorkerEnd>;
  private finish!: (end: WorkerEnd) => void;

  private constructor(
    browser: Browser,
    private readonly page: Page,
    server: { stop(closeAll: boolean): Promise<void> },
  ) {
    const first = new Promise<WorkerEnd>((resolve) => {
      this.finish = resolve;
    });
    this.ended = first.then(async (end) => {
      await browser.close();
      await server.stop(true);
      this.messages.close();
      return end;
    });
    const crash = (detail: string) => this.finish({ kind: "crash", detail });
    for (const event of ENDS) page.on(event, () => crash("the page crashed"));
    page.on("pageerror", ({ message }) => crash(message));
    browser.on("disconnected", () => crash("the browser ended"));
  }

  /** @param adapter name of the adapter to serve on; "" to list them */
  static async open(browser: Browser, program: string, adapter: string): Promise<WorkerPage> {
    const server = serveProgram(program);
    const page = await browser.newPage();
    const worker = new WorkerPage(browser, page, server);
    await page.exposeFunction("voxgradReply", (json) => {
      if (json === null) worker.finish({ kind: "exit", detail: "done" });
      else worker.messages.push(JSON.parse(json));
    });
    await page.goto(`${server.url}#${encodeURIComponent(adapter)}`);
    return worker;
  }

  send(message: unknown): void {
    const json = JSON.stringify(JSON.stringify(message));
    // Where it fails, the page has ended; `ended` says how.
    this.page.evaluate(`voxgradSend(${json})`).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.finish({ kind: "killed", detail: "stopped by the one who started it" });
    await this.ended;
  }
}
