/** `bun run bench isa`: see docs/measurements/isa.md. */
import { join } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../src/core/errors";
import { writeAtomically } from "../../src/platform/atomic_file";
import { isaSchema, readIsaReport } from "../../src/portability/isa/schema";
import { detailLines, HEADING, isaComparison, isaLines } from "../../src/portability/isa/text";
import { say } from "../../src/terminal/command";
import { checkPaths, given } from "../../src/terminal/command_paths";
import { runMain } from "../../src/terminal/main";
import { listOption } from "../../src/terminal/options";
import { printResult } from "../../src/terminal/result";
import { writeIsaDocs } from "./docs";
import { FAMILIES } from "./families";
import { measureIsa } from "./measure";

interface Options {
  readonly family: readonly string[];
  readonly kernel?: string;
  readonly all?: boolean;
  readonly details?: boolean;
  readonly json?: string;
  readonly compare?: string;
  readonly docs?: boolean;
}

const DOCS = join(import.meta.dir, "../../docs/measurements/isa.md");

/** Adds the subcommand, whose options are its own though some are named like those of `bench`. */
export function addIsa(bench: Command): void {
  bench.enablePositionalOptions();
  bench
    .command("isa")
    .description("Compiles every kernel for AMD GPUs, without one: registers, spills, waves, code.")
    .option("--family <names>", "AMD's chips, as RADV_FORCE_FAMILY names them", listOption, [
      ...FAMILIES,
    ])
    .option("--kernel <regex>", "only kernels whose name and variant match")
    .option("--all", "every variant that an AMD GPU can run, not only the defaults")
    .option("--details", "every shader by itself, with all that the compiler tells")
    .option("--json <file>", "write everything as JSON")
    .option("--compare <file>", "differences from an earlier --json file")
    .option("--docs", "put the table into docs/measurements/isa.md")
    .action((options: Options) => runMain(() => main(options)));
}

function expression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UserError(`--kernel ${text}: ${(error as Error).message}`);
  }
}

async function main({ family, kernel, all = false, ...options }: Options): Promise<void> {
  checkPaths({
    reads: [given("--compare", options.compare)],
    writes: [given("--json", options.json)],
  });
  const before = options.compare === undefined ? undefined : readIsaReport(options.compare);
  const families = [...new Set(family)];
  const request = { families, kernel: kernel === undefined ? undefined : expression(kernel), all };
  printResult(HEADING);
  const report = await measureIsa(request, (name, shaders) => say(`${name}: ${shaders} shaders`));
  printResult(isaLines(report).join("\n"));
  if (options.details) printResult(detailLines(report).join("\n"));
  if (before) printResult(isaComparison(before, report).join("\n"));
  if (options.docs) writeIsaDocs(report, DOCS);
  if (options.json !== undefined) {
    writeAtomically(options.json, `${JSON.stringify(isaSchema.parse(report), null, 1)}\n`);
  }
}
