/** A headless Firefox on lavapipe for tests of pages: the portability suite's browser. */
import { DriverUnavailable } from "../src/platform/driver";
import { driverSources } from "../src/platform/vulkan";
import { findFirefox, launch } from "../src/portability/hosts/firefox";
import { Unavailable } from "../src/portability/hosts/packages";

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

/** A browser, or why there is none here. */
export async function openFirefox(): Promise<Firefox | string> {
  const lavapipe = driverSources().find(({ name }) => name === "lavapipe");
  if (!lavapipe) return "no lavapipe for this system";
  try {
    const { path, puppeteer } = await findFirefox();
    const env = await lavapipe.environment({ mayDownload: true, quiet: true });
    return (await launch(puppeteer, path, env)) as unknown as Firefox;
  } catch (error) {
    if (error instanceof Unavailable || error instanceof DriverUnavailable) return error.message;
    throw error;
  }
}
