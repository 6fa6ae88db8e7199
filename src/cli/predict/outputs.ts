/** The files that `bun run predict` writes: which, checked before its work, and written after it. */
import { basename, join, resolve } from "node:path";
import { UserError } from "../../core/errors";
import { niftiStem } from "../../data/file_names";
import { checkNiftiPath } from "../../data/nifti_write";
import { writeAtomically } from "../../platform/atomic_file";
import type { Result } from "../../result/parts";
import { lesionsCsv } from "../../result/report_csv";
import { reportOf } from "../../result/report_of";
import { checkResultFolder, WRITTEN, writeResult } from "../../result/result_folder";
import type { AnswerFiles } from "../../run/predict_pair";
import { checkPaths, type GivenPaths, given } from "../../terminal/command_paths";
import { printResult } from "../../terminal/result";

export interface OutputOptions {
  readonly output?: string;
  readonly probability?: string;
  readonly allowed?: string;
  readonly report?: readonly string[];
  readonly outDir?: string;
  readonly patient?: string;
  readonly view: boolean;
}

export interface Outputs extends AnswerFiles {
  readonly html?: string;
  readonly csv?: string;
  /** Folder of a result for the viewer. */
  readonly folder?: string;
  readonly patient: string;
}

/** @throws UserError where no file is named, or two are for one thing */
export function outputsOf(options: OutputOptions): Outputs {
  const { output, probability, allowed, report = [], outDir, view } = options;
  if (output === undefined && outDir === undefined) {
    throw new UserError(
      "required option not given: -o FILE for the mask, or --out-dir DIR for a result that bun run view opens",
    );
  }
  const folder = outDir ?? (view ? folderBeside(output!) : undefined);
  const ending = (path: string) => /\.(html?|csv)$/i.exec(path)?.[1]?.toLowerCase() ?? "json";
  const ofKind = (...kinds: string[]) => {
    const [first, second] = report.filter((path) => kinds.includes(ending(path)));
    if (second === undefined) return first;
    throw new UserError(`--report: ${first} and ${second} are of one kind; name one of them`);
  };
  return {
    ...{ output, probability, allowed, folder },
    ...{ html: ofKind("html", "htm"), csv: ofKind("csv"), report: ofKind("json") },
    patient: options.patient ?? basename(resolve(folder ?? stemOf(output!))),
  };
}

const stemOf = (path: string): string => niftiStem(basename(path)) ?? basename(path);

/** `x.nii.gz` has `x_result`. */
const folderBeside = (output: string): string => join(output, "..", `${stemOf(output)}_result`);

/** Whether a record is made, for a folder or a report. */
export const needsResult = ({ html, csv, folder }: Outputs): boolean =>
  [html, csv, folder].some((path) => path !== undefined);

/** Before long work. @throws UserError for a file that is read too, or that cannot be written */
export function checkOutputs(
  reads: readonly GivenPaths[],
  { output, probability, allowed, report, html, csv, folder }: Outputs,
  beside: readonly string[] = [],
): void {
  const reports = [report, html, csv].filter((path) => path !== undefined);
  const inFolder = folder === undefined ? [] : WRITTEN.map((name) => join(folder, name));
  checkPaths({
    reads,
    writes: [
      ...[given("-o", output), given("files beside -o", beside)],
      ...[given("--probability", probability), given("--allowed", allowed)],
      given("--report", reports),
    ],
    fills: [given("--out-dir", folder)],
  });
  for (const path of [output, probability, allowed]) if (path !== undefined) checkNiftiPath(path);
  if (folder === undefined) return;
  checkResultFolder(folder);
  for (const { option, paths } of reads) {
    const clash = inFolder.find((path) => paths.some((read) => resolve(read) === resolve(path)));
    if (clash !== undefined) {
      throw new UserError(
        `--out-dir ${folder}: ${clash} is the path of ${option}; name another folder`,
      );
    }
  }
}

/** The result's folder and reports. */
export async function writeOutputs(result: Result, { html, csv, folder }: Outputs): Promise<void> {
  if (html !== undefined) writeAtomically(html, reportOf(result));
  if (csv !== undefined) writeAtomically(csv, lesionsCsv(result.record));
  if (folder === undefined) return;
  await writeResult(folder, result);
  printResult(`result: ${folder} (bun run view ${folder})`);
}
