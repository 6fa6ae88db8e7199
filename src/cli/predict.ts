import { existsSync } from "node:fs";
import { Option } from "commander";
import { type TuneFlags, withTuneOptions } from "../choose/tune_options";
import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import type { FromFile } from "../data/nifti_decode";
import { readMask } from "../data/nifti_read";
import { checkNiftiPath, writeMask, writeVolume } from "../data/nifti_write";
import { loadPair, maskOnGrid } from "../data/patient";
import type { Mask, Volume } from "../data/volume";
import { tuneDecision } from "../decision/choose_thresholds";
import { findingsOf } from "../decision/findings";
import type { LesionRule } from "../decision/found_lesions";
import { checkPrecision } from "../gpu/capabilities";
import { Memory } from "../gpu/memory";
import { openDevice } from "../hosts/bun";
import { predictPair } from "../infer/ensemble";
import { grouped } from "../infer/grouped";
import { writeAtomically } from "../platform/atomic_file";
import { predictProgress } from "../run/prediction_progress";
import { tuneAtTerminal } from "../run/terminal_observer";
import { MIRROR } from "../settings/inference";
import { WINDOW_WEIGHTS } from "../settings/names";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { INTERRUPTED, watchInterrupt } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import {
  countOption,
  listOption,
  nonNegativeOption,
  optionParser,
  probabilityOption,
} from "../terminal/options";
import { checkFolderOf } from "../terminal/output_file";
import { Stages } from "../terminal/stages";
import {
  loadModels,
  type ModelChanges,
  membersOf,
  modelText,
  type NamedWeights,
} from "./predict/models";
import { findingsJson, findingsText, ruleText } from "./predict/report";

interface Options extends TuneFlags, Partial<LesionRule>, ModelChanges {
  readonly t1: string;
  readonly t2: string;
  readonly output: string;
  readonly weights?: string[];
  readonly probability?: string;
  readonly report?: string;
  readonly mask?: string;
  readonly precision: Precision;
  readonly batch?: number;
  readonly adapter?: string;
}

const program = makeCommand("predict", "Segments the lesions that are new at the second visit.")
  .requiredOption("--t1 <file>", "FLAIR of the first visit (also: -t1 FILE)")
  .requiredOption("--t2 <file>", "FLAIR of the second visit (also: -t2 FILE)")
  .requiredOption("-o, --output <file>", "mask to write, on the grid of the first visit")
  .option(
    "-w, --weights <files>",
    "weights files, or folders of runs or of a cross-validation, separated by commas: the mean " +
      "of their probabilities (default: the best of the newest run in runs/)",
    (text: string, before: readonly string[] = []) => [...before, ...listOption(text)],
  )
  .option("--probability <file>", "also write the probability map")
  .option("--report <file>", "also write the findings as JSON")
  .option("--mask <file>", "brain mask, for weights trained with --normalisation mask")
  .option(
    "--threshold <p>",
    "probability from which a voxel is lesion (default: as tuned in training, else 0.5)",
    probabilityOption,
  )
  .option(
    "--min-lesion-volume <mm3>",
    "drop components of this volume or less (default: as tuned in training, else 3)",
    nonNegativeOption,
  )
  .option(
    "--stride <n>",
    "stride of the windows, voxels (default: as the weights file says)",
    countOption,
  )
  .addOption(
    new Option(
      "--window-weights <how>",
      "average overlapping windows alike, or by their centres (default: as the weights file says)",
    ).choices(WINDOW_WEIGHTS),
  )
  .option(
    "--mirror <axes>",
    "average over mirrored windows: axes such as xyz (8 runs), or none (default: as the file says)",
    optionParser(MIRROR.read),
  )
  .addOption(
    new Option("--precision <p>", "how activations are stored: f16 takes half the memory")
      .choices(["f32", "f16"])
      .default("f32"),
  )
  .option("--batch <n>", "most windows per run of a network (default: as tuned)", countOption)
  .option(...ADAPTER_OPTION);
withTuneOptions(program);
// The challenge's form has one dash before two letters, which no option parser knows.
program.parse(process.argv.map((arg) => arg.replace(/^-(t[12])$/, "--$1")));
await runMain(() => predict(program.opts<Options>()));

async function predict(options: Options): Promise<void> {
  const stages = new Stages();
  const models = loadModels(options.weights ?? [], options);
  for (const note of models.flatMap(({ notes }) => notes)) say(note);
  for (const path of [options.output, options.probability]) if (path) checkNiftiPath(path);
  for (const path of [options.output, options.probability, options.report]) {
    if (path) checkFolderOf(path);
  }
  for (const path of [options.t1, options.t2]) {
    if (!existsSync(path)) throw new UserError(`${path}: no such file; give a NIfTI image`);
  }
  stages.ended("start");
  const pair = await loadPair(options.t1, options.t2);
  for (const note of pair.notes) say(note);
  const brainMask = await brainMaskOf(options, models, pair.time1);
  stages.ended("reading images");
  const device = await openDevice({ adapter: options.adapter });
  const { batch, precision } = options;
  checkPrecision(device, precision);
  say(device.describe(precision));
  for (const model of models) say(modelText(model));
  const memory = new Memory(device);
  const members = membersOf(memory, models);
  stages.ended("opening the adapter");
  // Folds are of one network: it is tuned once.
  const networks = grouped(models, ({ info }) => JSON.stringify([info.unet, info.patch]));
  const needs = { picks: [], models: networks.map(([first]) => first!.info), batch, precision };
  const { choices, interrupted } = await tuneAtTerminal(device, needs, options);
  if (interrupted) return;
  stages.ended("tuning");
  const interrupt = watchInterrupt(() => say("interrupted: nothing is written"));
  let bar: ReturnType<typeof predictProgress> | undefined;
  const hooks = {
    choices,
    batch,
    precision,
    signal: interrupt.signal,
    onProgress: (done: number, total: number) => {
      bar ??= predictProgress(total);
      bar.update(done);
    },
    onStage: (stage: string) => stages.ended(stage),
  };
  try {
    const names = [options.t1, options.t2] as const;
    const map = await predictPair(memory, members, { ...pair, brainMask }, names, hooks);
    bar?.stop();
    await write(map, models, options, stages);
  } catch (error) {
    bar?.stop();
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = INTERRUPTED;
  } finally {
    interrupt.dispose();
  }
}

/** The mask and what else was asked for; the findings go to standard output. */
async function write(
  map: Volume,
  models: readonly NamedWeights[],
  options: Options,
  stages: Stages,
): Promise<void> {
  const decision = tuneDecision(models.flatMap(({ sweeps }) => sweeps ?? []));
  const findings = findingsOf(map, decision, options);
  stages.ended("lesions");
  await Promise.all([
    writeMask(options.output, findings.mask),
    options.probability && writeVolume(options.probability, map),
  ]);
  const paths = models.map(({ path }) => path);
  if (options.report) writeAtomically(options.report, findingsJson(findings, paths));
  stages.ended("writing");
  say(stages.table());
  say(ruleText(findings, decision, options, models.length));
  console.log(findingsText(findings));
}

/** The brain mask on the grid of the first visit, where a network needs one. */
async function brainMaskOf(
  { t1, mask }: Options,
  models: readonly NamedWeights[],
  image: Volume & FromFile,
): Promise<Mask | undefined> {
  const masked = models.find(({ info }) => info.normalisation === "mask");
  if (!masked) return undefined;
  if (mask === undefined) {
    throw new UserError(`${masked.path} was trained with --normalisation mask: give --mask FILE`);
  }
  const notes: string[] = [];
  const onGrid = maskOnGrid(mask, await readMask(mask), t1, image, notes);
  for (const note of notes) say(note);
  return onGrid;
}
