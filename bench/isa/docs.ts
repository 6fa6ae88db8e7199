/** Writes the table of `bun run bench isa` into its page. */
import { readFileSync } from "node:fs";
import { writeAtomically } from "../../src/platform/atomic_file";
import type { IsaReport } from "../../src/portability/isa/schema";
import { cellOf, groupsOf, poorLines } from "../../src/portability/isa/text";
import { replaceBetween } from "../../src/terminal/marked_part";
import { table } from "../report/tables";

/** Between these the page holds the table. */
const MARKS = ["<!-- bench: isa -->", "<!-- end: isa -->"] as const;

/** @throws UserError where `file` has no marks */
export function writeIsaDocs(report: IsaReport, file: string): void {
  const { families, driver, date, versions } = report;
  const head = ["kernel", "variant", "shaders", ...families.map(headOf)];
  const rows = groupsOf(report).map((group) => [
    `\`${group.kernel}\``,
    group.variant === "" ? "" : `\`${group.variant}\``,
    group.shaders.length,
    ...families.map(({ name }) => cellOf(group, name)),
  ]);
  const made = `*${date.slice(0, 10)}, ${driver}, Dawn of webgpu ${versions.webgpu}.*`;
  const poor = poorLines(report).map((line) => line.replace(/^ {2}/, "- "));
  const content = [made, table(head, rows), poor.join("\n")].join("\n\n");
  writeAtomically(file, replaceBetween(readFileSync(file, "utf8"), MARKS, content, file));
}

const headOf = ({ name, architecture }: IsaReport["families"][number]) =>
  `${name}, ${architecture.toUpperCase().replace("-", " ")}`;
