/**
 * wgpu and Naga in headless Firefox, driven by puppeteer-core through WebDriver BiDi. A worker is a page
 * from localhost in its own browser. Firefox computes with the driver that the Vulkan loader shows it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dawnsAdapters } from "./bun";
import { workerProgram } from "./bundle";
import { type Describe, DriverHost, type Environment } from "./driver_host";
import { installedBrowser, namedBrowser } from "./installed_browser";
import { answerOf, broughtPackages, packageVersion, Unavailable } from "./packages";
import { type Browser, WorkerPage } from "./worker_page";

const MEGABYTES = 33;

const COMMANDS = ["firefox", "firefox-esr"];
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  darwin: ["/Applications/Firefox.app/Contents/MacOS/firefox"],
  win32: ["C:\\Program Files\\Mozilla Firefox\\firefox.exe"],
};

/** WebGPU is off in Firefox for Linux, and refuses software drivers. */
const PREFERENCES = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  // Without Vulkan, wgpu would fall back to OpenGL, which is another driver than the one asked for.
  ...(process.platform === "linux" && { "dom.webgpu.wgpu-backend": "vulkan" }),
};

/** As much of puppeteer-core as is used here. */
interface Puppeteer {
  launch(options: {
    readonly browser: "firefox";
    readonly protocol: "webDriverBiDi";
    readonly executablePath: string;
    readonly headless: boolean;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly extraPrefsFirefox: Readonly<Record<string, unknown>>;
    readonly protocolTimeout: number;
    readonly handleSIGINT: boolean;
    readonly handleSIGTERM: boolean;
    readonly handleSIGHUP: boolean;
  }): Promise<Browser>;
}

/** The browser, and what drives it. @throws Unavailable where one of them cannot be had */
export async function findFirefox() {
  const path = namedBrowser("VOXGRAD_FIREFOX") ?? installedBrowser(COMMANDS, ELSEWHERE);
  if (!path) {
    throw new Unavailable(
      "no Firefox is installed (Debian: apt-get install firefox-esr); VOXGRAD_FIREFOX may name one",
    );
  }
  const modules = await broughtPackages("puppeteer", MEGABYTES);
  const module = join(modules, "puppeteer-core", "lib", "puppeteer", "puppeteer-core.js");
  const { default: puppeteer } = (await import(module)) as { default: Puppeteer };
  return { path, modules, puppeteer };
}

export const firefox = new DriverHost("firefox", async () => {
  const { path, modules, puppeteer } = await findFirefox();
  const version = await answerOf([path, "--version"]);
  return {
    versions: {
      firefox: /\d[\w.]*/.exec(version)?.[0] ?? version,
      "puppeteer-core": await packageVersion(modules, "puppeteer-core"),
    },
    async start(env, worker, adapter = "") {
      const program = await workerProgram({ place: "browser", worker });
      const opened = await launch(puppeteer, path, env);
      return WorkerPage.open(opened, await readFile(program, "utf8"), adapter);
    },
    describe: namedByDawn,
  };
});

export async function launch(
  puppeteer: Puppeteer,
  path: string,
  env: Environment,
): Promise<Browser> {
  try {
    return await puppeteer.launch({
      ...({ browser: "firefox", protocol: "webDriverBiDi", headless: true } as const),
      executablePath: path,
      env: { ...process.env, ...env },
      extraPrefsFirefox: PREFERENCES,
      protocolTimeout: 0, // whoever asks a worker has a timeout of their own
      handleSIGINT: false, // it would end this process, which has results to keep
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
  } catch (error) {
    const lines = String(error).split("\n");
    const why = lines.find((line) => /error while loading|cannot open|Error:/.test(line));
    throw new Unavailable(`${path} does not start: ${(why ?? lines[0] ?? "").trim()}`);
  }
}

/**
 * Firefox keeps the names of adapters from pages: they are what Dawn calls the only one of the same drivers.
 * One of the system's that Dawn refuses is left out: its column would be of an unknown driver.
 */
const namedByDawn: Describe = async (adapters, source, env) => {
  const listed = await dawnsAdapters(env);
  if (source === "system" && listed.length === 0) {
    return adapters.map(() => "the system's adapter is none of Dawn's, and Firefox names none");
  }
  const gpus = listed.filter(({ kind }) => kind === "hardware");
  if (
    source === "system" &&
    gpus.length === 0 &&
    adapters.some(({ kind }) => kind === "hardware")
  ) {
    return adapters; // a GPU that Dawn refuses, beside software that it takes
  }
  const alike = new Map((gpus.length > 0 ? gpus : listed).map((a) => [a.name, a]));
  const [only] = alike.values();
  if (adapters.length !== 1 || alike.size !== 1 || !only) return adapters;
  const { name, kind, driver, vendor, architecture } = only;
  return adapters.map((adapter) => ({ ...adapter, name, kind, driver, vendor, architecture }));
};
