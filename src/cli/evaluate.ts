import { SingleBar } from "cli-progress";
import { Option } from "commander";
import { UserError } from "../core/errors";
import { sameGrid } from "../data/affine";
import { type MaskPair, type MaskPairs, pairMasks } from "../data/mask_folders";
import { readMask } from "../data/nifti_read";
import { reorderedTo, reorderingNote } from "../data/voxel_order";
import { summariseCohort } from "../eval/cohort_scores";
import type { Connectivity } from "../eval/components";
import { cohortCsv, cohortJson, pairJson } from "../eval/report_files";
import { type Evaluation, type EvaluationSettings, evaluateMasks, MSSEG2 } from "../eval/scores";
import { writeAtomically } from "../platform/atomic_file";
import { cohortTables, pairTables } from "../run/score_tables";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, type GivenPaths, given } from "../terminal/command_paths";
import { runMain } from "../terminal/main";
import { printResult } from "../terminal/result";
import { checkProbabilityOptions, reliabilityOf, reliabilityText } from "./evaluate/reliability";

interface Options {
  readonly reference?: string;
  readonly prediction?: string;
  readonly references?: string;
  readonly predictions?: string;
  readonly probability?: string;
  readonly probabilities?: string;
  readonly reliability?: string;
  readonly referenceName: string;
  readonly predictionName: string;
  readonly connectivity: string;
  readonly animaCompat?: boolean;
  readonly csv?: string;
  readonly json?: string | true;
}

const program = makeCommand(
  "evaluate",
  "Scores lesion masks against the reference by the metrics of the MSSEG-2 challenge: one pair, " +
    "or two folders with <patient>.nii.gz or <patient>/NAME.nii.gz.",
)
  .option("--reference <file>", "NIfTI mask of the true new lesions")
  .option("--prediction <file>", "NIfTI mask to score, on the same grid")
  .option("--references <dir>", "folder of references, a mask per patient")
  .option("--predictions <dir>", "folder of masks to score, a mask per patient")
  .option(
    "--probability <file>",
    "probability map of the pair: calibration error and Brier score too",
  )
  .option("--probabilities <dir>", "folder of probability maps, a map per patient")
  .option("--reliability <file>", "PNG of the reliability diagram of the probabilities")
  .option("--reference-name <name>", "mask in a patient's folder, without .nii.gz", "ground_truth")
  .option("--prediction-name <name>", "mask in a patient's folder, without .nii.gz", "prediction")
  .addOption(
    new Option("--connectivity <n>", "voxels of a lesion touch by 6 faces, 18 or 26 neighbours")
      .choices(["6", "18", "26"])
      .default("6"),
  )
  .option("--anima-compat", "SurfaceDistance as the challenge's tool under-reports it")
  .option("--csv <file>", "write a row per patient")
  .option("--json [file]", "print JSON instead of tables, or write it beside them");
program.parse();
await runMain(() => evaluate(program.opts<Options>()));

async function evaluate(options: Options): Promise<void> {
  const settings: EvaluationSettings = {
    ...MSSEG2,
    connectivity: Number(options.connectivity) as Connectivity,
    animaCompat: options.animaCompat === true,
  };
  const { reference, prediction, references, predictions } = options;
  checkProbabilityOptions(options);
  if (reference && prediction && !references && !predictions) {
    checkFiles([given("--reference", reference), given("--prediction", prediction)], options);
    await evaluatePair({ patient: reference, reference, prediction }, settings, options);
  } else if (references && predictions && !reference && !prediction) {
    const pairs = await pairMasks(
      { root: references, fileName: options.referenceName, option: "--reference-name" },
      { root: predictions, fileName: options.predictionName, option: "--prediction-name" },
    );
    const masks = pairs.pairs;
    checkFiles(
      [
        given(
          "--references",
          masks.map((pair) => pair.reference),
        ),
        given(
          "--predictions",
          masks.map((pair) => pair.prediction),
        ),
      ],
      options,
    );
    await evaluateFolders(pairs, settings, options, { references, predictions });
  } else {
    throw new UserError(
      "evaluate needs either --reference FILE and --prediction FILE, or --references DIR and " +
        "--predictions DIR",
    );
  }
}

/** Before the work. @throws UserError for a file that is a mask, or that cannot be written */
function checkFiles(reads: readonly GivenPaths[], options: Options): void {
  const { csv, json, probability, reliability } = options;
  const toFile = json === true ? undefined : json;
  checkPaths({
    reads: [...reads, given("--probability", probability)],
    writes: [given("--csv", csv), given("--json", toFile), given("--reliability", reliability)],
  });
}

async function evaluatePair(
  pair: MaskPair,
  settings: EvaluationSettings,
  options: Options,
): Promise<void> {
  const result = await score(pair, settings);
  const { probability } = options;
  const maps = probability === undefined ? [] : [{ ...pair, prediction: probability }];
  const reliability = await reliabilityOf(maps, options.reliability);
  report(
    options,
    pairTables(result, settings) + reliabilityText(reliability),
    () => pairJson(pair, result, settings, reliability),
    () => cohortCsv([pair], [result]),
  );
}

async function evaluateFolders(
  masks: MaskPairs,
  settings: EvaluationSettings,
  options: Options,
  folders: { readonly references: string; readonly predictions: string },
): Promise<void> {
  const maps = await mapsOf(folders.references, options);
  warn(masks.onlyReference, `only in ${folders.references}, not scored`);
  warn(masks.onlyPrediction, `only in ${folders.predictions}, not scored`);
  const results: Evaluation[] = [];
  const bar = new SingleBar({
    format: "{bar} {percentage} %  patient {value}/{total}  {eta_formatted} left",
    stream: process.stderr,
    clearOnComplete: true,
  });
  bar.start(masks.pairs.length, 0);
  try {
    for (const pair of masks.pairs) {
      results.push(await score(pair, settings));
      bar.increment();
    }
  } finally {
    bar.stop();
  }
  const summary = summariseCohort(results);
  const reliability = await reliabilityOf(maps, options.reliability);
  report(
    options,
    cohortTables(masks.pairs, results, summary) + reliabilityText(reliability),
    () => cohortJson(folders, masks, results, summary, settings, reliability),
    () => cohortCsv(masks.pairs, results),
  );
}

/** The probability maps of a cohort beside their references. */
async function mapsOf(
  references: string,
  { probabilities, referenceName }: Options,
): Promise<readonly MaskPair[]> {
  if (probabilities === undefined) return [];
  const found = await pairMasks(
    { root: references, fileName: referenceName, option: "--reference-name" },
    { root: probabilities, fileName: "probability", option: "--probabilities" },
  );
  warn(found.onlyReference, `no probability map in ${probabilities}`);
  return found.pairs;
}

function warn(patients: readonly string[], where: string): void {
  if (patients.length > 0) say(`${where}: ${patients.join(", ")}`);
}

async function score(pair: MaskPair, settings: EvaluationSettings): Promise<Evaluation> {
  const [reference, prediction] = await Promise.all([read(pair.reference), read(pair.prediction)]);
  return evaluateMasks(reference, inOrderOf(reference, prediction), settings);
}

type ReadMask = Awaited<ReturnType<typeof read>>;

/** The prediction in the reference's order of voxels, where that is all in which they differ. */
function inOrderOf(reference: ReadMask, prediction: ReadMask): ReadMask {
  const reordered = sameGrid(prediction, reference)
    ? undefined
    : reorderedTo(prediction, reference);
  if (!reordered) return prediction;
  say(reorderingNote(prediction.name, prediction, reference.name, reference));
  return reordered;
}

async function read(path: string) {
  const mask = await readMask(path);
  for (const note of mask.notes) say(note);
  return { ...mask, name: path };
}

function report(
  { json, csv }: Options,
  tables: string,
  toJson: () => string,
  toCsv: () => string,
): void {
  printResult(json === true ? toJson() : tables);
  if (typeof json === "string") writeAtomically(json, `${toJson()}\n`);
  if (csv !== undefined) writeAtomically(csv, toCsv());
}
