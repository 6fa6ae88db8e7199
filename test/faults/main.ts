/**
 * `bun run faults`: bad files, full disks, kills and nonsense, and what voxgrad makes of them
 * (docs/measurements/robustness.md).
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../src/core/errors";
import { writeAtomically } from "../../src/platform/atomic_file";
import { exitCodeOf } from "../../src/platform/interruption";
import { makeCommand } from "../../src/terminal/command";
import { checkPaths, given } from "../../src/terminal/command_paths";
import { runMain } from "../../src/terminal/main";
import { countOption, listOption } from "../../src/terminal/options";
import { ProgressLine } from "../../src/terminal/progress";
import { printResult } from "../../src/terminal/result";
import type { Part } from "./part";
import { PARTS } from "./parts";
import { type Row, runPart } from "./supervisor";
import { tableLines } from "./table";

interface Options {
  readonly only?: string[];
  readonly short: boolean;
  readonly seed: number;
  readonly json?: string | true;
}

const names = PARTS.map(({ name }) => name);
const program = makeCommand(
  "faults",
  "Gives voxgrad bad files, full disks, kills and nonsense, and counts right refusals, stack traces, " +
    `hangs and what was taken without a word. Parts: ${names.join(", ")}.`,
)
  .option("--only <names>", "some of the parts", listOption)
  .option("--short", "a few cases of every part: a minute instead of an hour", false)
  .option("--seed <n>", "of all random choices", countOption, 1)
  .option("--json [file]", "print JSON instead of the table, or write it beside");
program.parse();
await runMain(() => main(program.opts<Options>()));

function chosen({ only, short }: Options): readonly Part[] {
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown) throw new UserError(`--only ${unknown}: no part of that name; ${names.join(", ")}`);
  return PARTS.filter(({ name, longOnly }) => (only ? only.includes(name) : !(short && longOnly)));
}

async function main(options: Options): Promise<void> {
  const { json, short, seed } = options;
  const parts = chosen(options);
  const file = json === true ? undefined : json;
  checkPaths({ writes: [given("--json", file)] });
  const root = mkdtempSync(join(tmpdir(), "voxgrad-faults-"));
  process.on("exit", () => rmSync(root, { recursive: true, force: true }));
  // The workers end with this process.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(exitCodeOf(signal)));
  }
  const rows: Row[] = [];
  for (const part of parts) {
    const progress = new ProgressLine({});
    const folder = join(root, part.name);
    mkdirSync(folder);
    const row = await runPart(part, { folder, seed, short }, (done, count) =>
      progress.update(done / count, [part.name, `${done}/${count}`]),
    );
    progress.stop();
    rows.push(row);
  }
  const text = `${JSON.stringify({ short, seed, rows }, null, 2)}\n`;
  if (file !== undefined) writeAtomically(file, text);
  printResult(json === true ? text.trimEnd() : tableLines(rows).join("\n"));
  if (rows.some(({ faults }) => faults.length > 0)) process.exitCode = 1;
}
