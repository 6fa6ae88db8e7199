/** Chromium, headless, driven by playwright-core: a worker is a page from localhost in a browser of its own. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Host, HostAdapter, HostAdapters, HostWorker } from "../host";
import { workerProgram } from "./bundle";
import { type ChromiumFiles, chromiumFiles } from "./chromium_files";
import type { Opening } from "./entry/place";
import { broughtPackages, packageVersion, Unavailable } from "./packages";
import { type Browser, WorkerPage } from "./worker_page";

const MEGABYTES = 4;
const IDLE = join(import.meta.dir, "idle.ts");

/** New headless mode is the whole browser; Vulkan is what it computes with on a GPU under Linux. */
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-webgpu-developer-features", // names of adapters, clocks that are not rounded
  "--ignore-gpu-blocklist",
  ...(process.platform === "linux" ? ["--enable-features=Vulkan"] : []),
];

/** As much of playwright-core as is used here. */
interface Playwright {
  readonly chromium: {
    launch(options: {
      readonly executablePath: string;
      readonly headless: boolean;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string | undefined>>;
      readonly handleSIGINT: boolean;
      readonly handleSIGTERM: boolean;
    }): Promise<Browser>;
  };
}

interface Ready {
  readonly playwright: Playwright;
  readonly files: ChromiumFiles;
  readonly versions: Readonly<Record<string, string>>;
}

class ChromiumHost implements Host {
  readonly name = "chromium";
  private ready: Promise<Ready> | undefined;

  async adapters(): Promise<HostAdapters> {
    try {
      this.ready ??= prepare();
      const { versions } = await this.ready;
      const { page, opening } = await this.open(IDLE, "");
      await page.stop();
      if (!("adapters" in opening)) throw new Unavailable(failureOf(opening));
      const adapters = opening.adapters.map((adapter) => ({ ...adapter, versions }));
      return adapters.length > 0 ? { adapters } : { adapters, reason: "it offers no adapter" };
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return { adapters: [], reason: error.message };
    }
  }

  async start(adapter: HostAdapter, worker: string): Promise<HostWorker> {
    const { page, opening } = await this.open(worker, adapter.name);
    if ("ready" in opening) return page;
    await page.stop();
    throw new Error(failureOf(opening));
  }

  private async open(worker: string, adapter: string) {
    this.ready ??= prepare();
    const { playwright, files } = await this.ready;
    const program = await workerProgram({ place: "browser", worker });
    const browser = await launch(playwright, files);
    const page = await WorkerPage.open(browser, await readFile(program, "utf8"), adapter);
    const { value } = await page.messages[Symbol.asyncIterator]().next();
    const opening: Opening = value ?? { failure: (await page.ended).detail };
    return { page, opening };
  }
}

function failureOf(opening: Opening): string {
  return "failure" in opening ? opening.failure : "no answer";
}

async function prepare(): Promise<Ready> {
  const modules = await broughtPackages("playwright", MEGABYTES);
  const files = await chromiumFiles();
  const playwright = (await import(join(modules, "playwright-core", "index.mjs"))) as Playwright;
  const browser = await launch(playwright, files);
  const versions = {
    chromium: browser.version(),
    "playwright-core": await packageVersion(modules, "playwright-core"),
  };
  await browser.close();
  return { playwright, files, versions };
}

async function launch({ chromium }: Playwright, files: ChromiumFiles): Promise<Browser> {
  const { executablePath, env } = files;
  try {
    return await chromium.launch({
      executablePath,
      headless: true,
      args: FLAGS,
      env: { ...process.env, ...env },
      handleSIGINT: false, // it would end this process, which has results to keep
      handleSIGTERM: false,
    });
  } catch (error) {
    const lines = String(error).split("\n");
    const why = lines.find((line) => /error while loading|\bFATAL\b|\bERROR\b/.test(line));
    throw new Unavailable(`${executablePath} does not start: ${(why ?? lines[0] ?? "").trim()}`);
  }
}

export const chromium: Host = new ChromiumHost();
