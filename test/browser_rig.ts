/** A headless Chromium for tests of pages, driven by playwright-core: the portability suite's browser. */
import { join } from "node:path";
import { chromiumSources } from "../src/portability/hosts/chromium_files";
import { broughtPackages, Unavailable } from "../src/portability/hosts/packages";

/** As much of playwright-core as the tests use. */
export interface TestPage {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  close(): Promise<void>;
  setInputFiles(selector: string, path: string | readonly string[]): Promise<void>;
  waitForEvent(event: "download"): Promise<{
    suggestedFilename(): string;
    saveAs(path: string): Promise<void>;
  }>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  screenshot(options: {
    path: string;
    fullPage?: boolean;
    type?: "png" | "jpeg";
    quality?: number;
    timeout?: number;
  }): Promise<unknown>;
  evaluate<T>(expression: string): Promise<T>;
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  textContent(selector: string): Promise<string | null>;
  pdf(options: { path: string; format: string; preferCSSPageSize: boolean }): Promise<Uint8Array>;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "request", listener: (request: { url(): string }) => void): void;
  /** Chromium's own protocol: for touches of several fingers. */
  context(): {
    newCDPSession(
      page: TestPage,
    ): Promise<{ send(method: string, what: object): Promise<unknown> }>;
  };
  readonly keyboard: { press(key: string): Promise<void> };
  readonly touchscreen: { tap(x: number, y: number): Promise<void> };
  readonly mouse: {
    move(x: number, y: number, options?: { steps: number }): Promise<void>;
    down(options?: { button: "left" | "right" }): Promise<void>;
    up(options?: { button: "left" | "right" }): Promise<void>;
    wheel(x: number, y: number): Promise<void>;
  };
}

export interface TestBrowser {
  newPage(options?: {
    hasTouch: boolean;
    viewport: { width: number; height: number };
  }): Promise<TestPage>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: { launch(options: object): Promise<TestBrowser> };
}

const MEGABYTES = 4;
/** WebGL on the processor: SwiftShader is in the browser. */
const FLAGS = [
  ...["--headless=new", "--no-sandbox", "--ignore-gpu-blocklist", "--hide-scrollbars"],
  ...["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
];

/** WebGPU too, on the processor. */
export const WITH_WEBGPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan"];

/** A browser, or why there is none here. */
export async function openBrowser(flags: readonly string[] = []): Promise<TestBrowser | string> {
  try {
    const modules = await broughtPackages("playwright", MEGABYTES);
    const { chromium } = (await import(
      join(modules, "playwright-core", "index.mjs")
    )) as Playwright;
    const reasons: string[] = [];
    for (const find of chromiumSources()) {
      try {
        const { executablePath, env } = await find();
        const options = { executablePath, headless: true, args: [...FLAGS, ...flags] };
        return await chromium.launch({ ...options, env: { ...process.env, ...env } });
      } catch (error) {
        reasons.push((error as Error).message.split("\n")[0]!);
      }
    }
    return reasons.join("; ");
  } catch (error) {
    if (error instanceof Unavailable) return error.message;
    throw error;
  }
}

/** Waits until an expression is true in the page. The page's own security policy forbids the browser's way. */
export async function until(
  page: Pick<TestPage, "evaluate">,
  expression: string,
  seconds = 30,
): Promise<void> {
  const end = performance.now() + 1000 * seconds;
  while (!(await page.evaluate<boolean>(`Boolean(${expression})`))) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${expression}`);
    await Bun.sleep(25);
  }
}
