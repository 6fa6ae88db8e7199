/** Finds a Chromium: the system's, else the one in the npm package `@sparticuz/chromium`. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { cacheDir, cacheOnce } from "../../platform/cache";
import { tarEntries } from "../../platform/swiftshader";
import { MODULES } from "./bun";
import { installedBrowser, namedBrowser } from "./installed_browser";
import { answerOf, packageVersion, Unavailable } from "./packages";

export interface ChromiumFiles {
  readonly executablePath: string;
  readonly env: Readonly<Record<string, string>>;
}

const ON_PATH = ["google-chrome-stable", "google-chrome", "chromium", "chromium-browser"];
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  darwin: ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
  win32: [
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
  ],
};

/**
 * Ways to a browser, the best first: the system's, the packaged one; or the one that `VOXGRAD_CHROMIUM`
 * names and no other. Each throws Unavailable where it has none.
 */
export function chromiumSources(): (() => Promise<ChromiumFiles>)[] {
  if (process.env.VOXGRAD_CHROMIUM) {
    return [async () => ({ executablePath: namedBrowser("VOXGRAD_CHROMIUM") ?? "", env: {} })];
  }
  const system = installedBrowser(ON_PATH, ELSEWHERE);
  const installed = system ? [async () => ({ executablePath: system, env: {} })] : [];
  return [...installed, packagedChromium];
}

/** Unpacks the browser with SwiftShader beside it, 220 MB, once. */
async function packagedChromium(): Promise<ChromiumFiles> {
  const root = join(MODULES, "@sparticuz", "chromium");
  const isPackaged = process.platform === "linux" && process.arch === "x64";
  if (!isPackaged || !existsSync(join(root, "bin", "chromium.br"))) {
    const where = `${process.platform} ${process.arch}`;
    throw new Unavailable(`no Chrome or Chromium is installed, and none is packaged for ${where}`);
  }
  const version = await packageVersion(MODULES, "@sparticuz/chromium");
  const dir = cacheDir("portability", `chromium-${version}`);
  const packed = (name: string) => unpacked(join(root, "bin", name));
  await cacheOnce(dir, async (temporary) => {
    console.error(`unpacking Chromium (220 MB, once) into ${dir} …`);
    await writeFile(join(temporary, "chromium"), await packed("chromium.br"), { mode: 0o755 });
    for (const archive of ["swiftshader.tar.br", "al2023.tar.br"]) {
      for (const { name, data } of tarEntries(await packed(archive))) {
        const path = join(temporary, name);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, data, { mode: 0o755 });
      }
    }
  });
  return { executablePath: join(dir, "chromium"), env: await missingLibraries(dir) };
}

async function unpacked(path: string): Promise<Uint8Array> {
  return promisify(brotliDecompress)(await readFile(path));
}

/** Bare systems lack NSS; the package brings it. Where the browser starts without, it is left out. */
async function missingLibraries(dir: string): Promise<Record<string, string>> {
  const starts = await answerOf([join(dir, "chromium"), "--version"]).catch(() => undefined);
  return starts === undefined ? { LD_LIBRARY_PATH: join(dir, "lib") } : {};
}
