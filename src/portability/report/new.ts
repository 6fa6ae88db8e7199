/** The report of a run that begins. */
import { cpus, release, totalmem, type } from "node:os";
import { version } from "../../../package.json";
import type { Chosen } from "../columns";
import { FORMAT, type Report, VERSION } from "./schema";

/** @param options what decides which cases run */
export function newReport(
  { missing }: Chosen,
  {
    short,
    seed,
    cases,
  }: { readonly short: boolean; readonly seed: number; readonly cases: readonly string[] },
): Report {
  const [first] = cpus();
  return {
    format: FORMAT,
    version: VERSION,
    started: new Date().toISOString(),
    voxgrad: { version, commit: currentCommit() },
    machine: {
      os: `${type()} ${release()} ${process.arch}`,
      processor: first?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryBytes: totalmem(),
    },
    options: { short, seed, cases: [...cases] },
    columns: [],
    missing: [...missing],
  };
}

/** Of the sources that run; undefined where they are no clone. */
export function currentCommit(): string | undefined {
  const { success, stdout } = Bun.spawnSync(
    ["git", "describe", "--always", "--dirty", "--exclude=*"],
    { cwd: import.meta.dir, stderr: "ignore" },
  );
  return success ? stdout.toString().trim() : undefined;
}
