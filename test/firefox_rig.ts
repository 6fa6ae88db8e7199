/** A headless Firefox on lavapipe for tests of pages, driven by puppeteer-core. */
import { join } from "node:path";
import { DriverUnavailable } from "../src/platform/driver";
import { driverSources } from "../src/platform/vulkan";
import { broughtPackages, Unavailable } from "../src/portability/hosts/packages";

/** As much of puppeteer-core as the tests use. */
export interface FirefoxPage {
  goto(url: string): Promise<unknown>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  screenshot(options: { path: string }): Promise<unknown>;
  evaluate<T>(expression: string): Promise<T>;
  $(selector: string): Promise<{ uploadFile(path: string): Promise<void> } | null>;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "request", listener: (request: { url(): string }) => void): void;
}

export interface Firefox {
  newPage(): Promise<FirefoxPage>;
  close(): Promise<void>;
}

const MEGABYTES = 33;
/** WebGPU is off in Firefox for Linux, and refuses software drivers. */
const PREFERENCES = {
  "dom.webgpu.enabled": true,
  "dom.webgpu.workers.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "dom.webgpu.wgpu-backend": "vulkan",
};

/** A browser, or why there is none here. */
export async function openFirefox(): Promise<Firefox | string> {
  const named = process.env.VOXGRAD_FIREFOX;
  const path = named || Bun.which("firefox") || Bun.which("firefox-esr");
  if (!path) return "no Firefox is installed";
  const lavapipe = driverSources().find(({ name }) => name === "lavapipe");
  if (!lavapipe) return "no lavapipe for this system";
  try {
    const env = await lavapipe.environment({ mayDownload: true, quiet: true });
    const modules = await broughtPackages("puppeteer", MEGABYTES);
    const module = join(modules, "puppeteer-core", "lib", "puppeteer", "puppeteer-core.js");
    const { default: puppeteer } = await import(module);
    return (await puppeteer.launch({
      ...{ browser: "firefox", protocol: "webDriverBiDi", executablePath: path, headless: true },
      ...{ env: { ...process.env, ...env }, extraPrefsFirefox: PREFERENCES, protocolTimeout: 0 },
    })) as Firefox;
  } catch (error) {
    if (error instanceof Unavailable || error instanceof DriverUnavailable) return error.message;
    return `${path} does not start: ${(error as Error).message.split("\n")[0]}`;
  }
}
