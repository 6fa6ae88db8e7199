/** The README of an imported cohort: where it comes from, and what its truth is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { writeAtomically } from "../platform/atomic_file";
import { TRUTH_RULE, TRUTH_RULE_TEXT } from "./derived_truth";

export interface CohortSource {
  /** The folder of the data set. */
  readonly dir: string;
  /** Name of the importer. */
  readonly command: string;
  /** Name of the data set. */
  readonly title: string;
  readonly licence: string;
  /** What users of the data set must cite. */
  readonly cite: string;
  /** Options of the importer that decide about a patient's files. */
  readonly settings?: object;
  /** It may have masks of the new lesions. */
  readonly hasNewLesions: boolean;
}

const NAME = "README.md";
/** The first line says that the file is ours. */
const firstLine = ({ command }: CohortSource) =>
  `# A cohort of pairs of visits, made by \`bun run import ${command}\``;

/** @returns a line for the user where a README of somebody else's is there; it stays */
export function writeCohortReadme(out: string, source: CohortSource): string | undefined {
  const path = join(out, NAME);
  const before = textOf(path);
  if (before !== undefined && !before.startsWith(firstLine(source))) {
    return `${path}: is there already and stays; the truth is told in each patient's import.json`;
  }
  writeAtomically(path, readmeText(source));
  return undefined;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readmeText(source: CohortSource): string {
  return `${[
    firstLine(source),
    `Source: ${source.title}. Program: voxgrad ${version}.`,
    "## Truth",
    ...truthParagraphs(source),
    "The visits of a pair were aligned by registration first (registration.json in each folder). A mask " +
      "travelled with its visit, by the nearest voxel.",
    "## Licence",
    `${source.licence} Cite: ${source.cite}`,
    "## Pairs of one patient",
    "A patient with three visits or more is here several times, once for each pair. Pairs of one " +
      "patient share scans: `person.txt` in each folder names the patient, and `--val` and `--folds` " +
      "keep the pairs of one together.",
  ].join("\n\n")}\n`;
}

function truthParagraphs({ hasNewLesions }: CohortSource): string[] {
  const rule =
    "**The truth is derived, not drawn by a rater**, from the published masks of all lesions at each " +
    `visit, by rule ${TRUTH_RULE.version}. ${TRUTH_RULE_TEXT}`;
  const files = "`ground_truth` holds the new lesions, `grown` and `resolved` the others.";
  if (!hasNewLesions) return [rule, files];
  const own =
    'Where registration.json says `"lesions": "published"`, `ground_truth` is the data set\'s own mask ' +
    "of new lesions, and only `resolved` is derived. In all other pairs:";
  return [own, rule, files];
}
