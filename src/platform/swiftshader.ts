import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { z } from "zod";
import { parseJson } from "../core/json";
import { cacheDir, cacheOnce } from "./cache";
import { DriverUnavailable, type VulkanFiles } from "./driver";

const LOADER = "libvulkan.so.1";
const DRIVER = "libvk_swiftshader.so";

/**
 * SwiftShader and a Vulkan loader, out of the npm package `@sparticuz/chromium`, in the cache.
 * @throws DriverUnavailable elsewhere than on Linux x64, or where the package was left out
 */
export async function swiftShader(): Promise<VulkanFiles> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new DriverUnavailable(`none is packaged for ${process.platform} ${process.arch}`);
  }
  const { archive, version } = await packagedArchive();
  const dir = cacheDir("swiftshader", version);
  await cacheOnce(dir, async (temporary) => {
    const tar = await promisify(brotliDecompress)(await readFile(archive));
    for (const { name, data } of tarEntries(tar)) {
      if (name === LOADER || name === DRIVER) {
        await writeFile(join(temporary, name), data, { mode: 0o755 });
      }
    }
    const ICD = { library_path: join(dir, DRIVER), api_version: "1.1.0" };
    const manifest = JSON.stringify({ file_format_version: "1.0.0", ICD });
    await writeFile(join(temporary, "icd.json"), manifest);
  });
  return { loader: join(dir, LOADER), icd: join(dir, "icd.json"), libraries: [] };
}

async function packagedArchive(): Promise<{ archive: string; version: string }> {
  let root: string;
  try {
    root = fileURLToPath(new URL("..", import.meta.resolve("@sparticuz/chromium")));
  } catch {
    throw new DriverUnavailable("the npm package @sparticuz/chromium is not installed");
  }
  const archive = join(root, "bin", "swiftshader.tar.br");
  if (!existsSync(archive)) throw new DriverUnavailable(`${archive} is missing`);
  const manifest = join(root, "package.json");
  const schema = z.looseObject({ version: z.string().regex(/^[\w.+-]+$/) });
  const text = await readFile(manifest, "utf8");
  const { version } = parseJson(text, schema, manifest, "install the package again");
  return { archive, version };
}

/** Regular files of a ustar archive with short names, all that the package holds. */
export function* tarEntries(tar: Uint8Array): Generator<{ name: string; data: Uint8Array }> {
  const text = (at: number, length: number) =>
    new TextDecoder().decode(tar.subarray(at, at + length)).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const isFile = text(at + 156, 1) === "" || text(at + 156, 1) === "0";
    const data = tar.subarray(at + 512, at + 512 + size);
    if (isFile) yield { name: text(at, 100).replace(/^\.\//, ""), data };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
