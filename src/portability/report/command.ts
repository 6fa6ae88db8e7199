/** `bun run portability report FILE`: shows a `--json` file once more; runs nothing. */
import { writeAtomically } from "../../platform/atomic_file";
import { makeCommand } from "../../terminal/command";
import { checkPaths, given } from "../../terminal/command_paths";
import { printResult } from "../../terminal/result";
import { readReport } from "./file";
import { htmlReport } from "./html";
import { matrixLines } from "./matrix";

export async function main(args: string[]): Promise<void> {
  const command = makeCommand(
    "portability report",
    "Prints the matrix of a report that --json wrote, on whatever machine, and runs nothing.",
  )
    .argument("<file>", "what --json wrote")
    .option("--html <file>", "write the report as one page, as the run itself would have");
  command.parse(args, { from: "user" });
  const { html } = command.opts<{ readonly html?: string }>();
  const [file] = command.args;
  checkPaths({ reads: [given("<file>", file)], writes: [given("--html", html)] });
  const report = readReport(file!);
  for (const line of matrixLines(report)) printResult(line);
  if (html !== undefined) writeAtomically(html, htmlReport(report));
}
