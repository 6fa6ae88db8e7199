/** npm packages that a host needs and voxgrad does not: brought into the cache when they are asked for. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir, cacheOnce } from "../../platform/cache";

/** A host or an adapter that cannot be had here; the message says why, in a few words. */
export class Unavailable extends Error {
  override name = "Unavailable";
}

const FILES = ["package.json", "bun.lock"] as const;

/**
 * The node_modules of packages/`name`, in the versions and with the integrity of its bun.lock. No script of
 * a package runs.
 * @throws Unavailable without network, or where `VOXGRAD_NO_DOWNLOAD` forbids it
 */
export async function broughtPackages(name: string, megabytes: number): Promise<string> {
  const source = join(import.meta.dir, "packages", name);
  const lock = await readFile(join(source, "bun.lock"));
  const version = createHash("sha256").update(lock).digest("hex").slice(0, 16);
  const dir = cacheDir("portability", `${name}-${version}`);
  if (!existsSync(dir)) {
    if (process.env.VOXGRAD_NO_DOWNLOAD) {
      throw new Unavailable("not in the cache, and VOXGRAD_NO_DOWNLOAD forbids bringing it");
    }
    console.error(`bringing ${name} (${megabytes} MB, once) into ${dir} …`);
    await cacheOnce(dir, async (temporary) => {
      for (const file of FILES) await copyFile(join(source, file), join(temporary, file));
      await install(temporary);
    });
  }
  return join(dir, "node_modules");
}

async function install(folder: string): Promise<void> {
  const command = [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"];
  const child = Bun.spawn(command, { cwd: folder, stdout: "ignore", stderr: "pipe" });
  const [code, text] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (code === 0) return;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const why = lines.find((line) => line.startsWith("error")) ?? lines.at(-1) ?? `status ${code}`;
  throw new Unavailable(`cannot be brought: bun install: ${why.trim()}`);
}

/** Version of a package in a node_modules folder. */
export async function packageVersion(modules: string, name: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
  return String(version);
}

/** The output of a command, on one line. @throws Unavailable when it cannot be run */
export async function answerOf(command: readonly string[]): Promise<string> {
  try {
    const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe", timeout: 20_000 });
    const [code, text, errors] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code === 0) return text.trim();
    throw new Unavailable(`${command[0]}: ${errors.trim().split("\n").at(-1) || `status ${code}`}`);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    throw new Unavailable(`${command[0]}: ${(error as Error).message}`);
  }
}
