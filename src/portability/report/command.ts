/** `bun run portability report FILE`: shows a `--json` file once more; runs nothing. */
import { writeAtomically } from "../../platform/atomic_file";
import { makeCommand } from "../../terminal/command";
import { checkFolderOf } from "../../terminal/output_file";
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
  if (html) checkFolderOf(html);
  const report = readReport(command.args[0]!);
  for (const line of matrixLines(report)) printResult(line);
  if (html) writeAtomically(html, htmlReport(report));
}
