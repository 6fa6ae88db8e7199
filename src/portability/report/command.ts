/** `bun run portability report FILE`: shows a `--json` file once more; runs nothing. */
import { writeAtomically } from "../../platform/atomic_file";
import { makeCommand } from "../../terminal/command";
import { checkPaths, given } from "../../terminal/command_paths";
import { printResult } from "../../terminal/result";
import { readIsaReport } from "../isa/schema";
import { HEADING, isaLines } from "../isa/text";
import { readReport } from "./file";
import { htmlReport } from "./html";
import { matrixLines } from "./matrix";

export async function main(args: string[]): Promise<void> {
  const command = makeCommand(
    "portability report",
    "Prints the matrix of a report that --json wrote, on whatever machine, and runs nothing.",
  )
    .argument("<file>", "what --json wrote")
    .option(
      "--isa <file>",
      "with a section of what AMD's compiler says: what `bench isa --json` wrote",
    )
    .option("--html <file>", "write the report as one page, as the run itself would have");
  command.parse(args, { from: "user" });
  const { html, isa } = command.opts<{ readonly html?: string; readonly isa?: string }>();
  const [file] = command.args;
  checkPaths({
    reads: [given("<file>", file), given("--isa", isa)],
    writes: [given("--html", html)],
  });
  const report = readReport(file!);
  const compiled = isa === undefined ? undefined : readIsaReport(isa);
  const more = compiled ? ["", "AMD's compiler", HEADING, ...isaLines(compiled), ""] : [];
  for (const line of matrixLines(report, more)) printResult(line);
  if (html !== undefined) writeAtomically(html, htmlReport(report, compiled));
}
