/** Commands run in a folder without runs/, so that nothing is trained. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Left } from "./cli_rig";

export async function runIn(cwd: string, command: string, ...args: string[]): Promise<Left> {
  const script = join(import.meta.dir, `../src/cli/${command}.ts`);
  const child = Bun.spawn([process.execPath, script, ...args], {
    ...{ cwd, env: process.env, stdout: "pipe", stderr: "pipe" },
  });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()] as const;
  const [out, err] = await Promise.all(texts);
  return { out, err, code: await child.exited };
}

/** Names in a folder, sorted. */
export const fileNamesAfter = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).sort();
