/** Headless Chromium, driven by playwright-core. A worker is a page from localhost in its own browser. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Host, HostAdapter, HostAdapters, HostWorker } from "../host";
import { workerProgram } from "./bundle";
import { type ChromiumFiles, chromiumSources } from "./chromium_files";
import { opened, openingOf } from "./opening";
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
      const page = await this.open(IDLE, "");
      const opening = await openingOf(page);
      await page.stop();
      if ("failure" in opening) throw new Unavailable(opening.failure);
      const listed = "adapters" in opening ? opening.adapters : [];
      const adapters = listed.map((adapter) => ({ ...adapter, versions }));
      return adapters.length > 0 ? { adapters } : { adapters, reason: "it offers no adapter" };
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return { adapters: [], reason: error.message };
    }
  }

  async start(adapter: HostAdapter, worker: string): Promise<HostWorker> {
    return opened(await this.open(worker, adapter.name));
  }

  private async open(worker: string, adapter: string): Promise<WorkerPage> {
    this.ready ??= prepare();
    const { playwright, files } = await this.ready;
    const program = await workerProgram({ place: "browser", worker });
    const browser = await launch(playwright, files);
    return WorkerPage.open(browser, await readFile(program, "utf8"), adapter);
  }
}

/** The first browser that starts. @throws Unavailable with what is wrong with each */
async function prepare(): Promise<Ready> {
  const modules = await broughtPackages("playwright", MEGABYTES);
  const playwright = (await import(join(modules, "playwright-core", "index.mjs"))) as Playwright;
  const reasons: string[] = [];
  for (const find of chromiumSources()) {
    try {
      const files = await find();
      const browser = await launch(playwright, files);
      const versions = {
        chromium: await browser.version(),
        "playwright-core": await packageVersion(modules, "playwright-core"),
      };
      await browser.close();
      return { playwright, files, versions };
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      reasons.push(error.message);
    }
  }
  throw new Unavailable(reasons.join("; "));
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
    const why = lines.find((line) => /error while loading|\bFATAL\b|did exit/.test(line));
    throw new Unavailable(`${executablePath} does not start: ${(why ?? lines[0] ?? "").trim()}`);
  }
}

export const chromium: Host = new ChromiumHost();
