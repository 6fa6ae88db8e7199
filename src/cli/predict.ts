import { Option } from "commander";
import { type TuneFlags, withTuneOptions } from "../choose/tune_options";
import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import { checkNiftiPath } from "../data/nifti_write";
import type { LesionRule } from "../decision/found_lesions";
import { SCAN_TEXT } from "../dicom/read_visits";
import { openDevice } from "../hosts/bun";
import { doubtOf } from "../register/align";
import { changeOfFiles, filesBeside, writeChange } from "../run/change_pair";
import { BIAS_MODES, type BiasMode } from "../run/matched_pair";
import { hasUnnamed, loadModels, type ModelChanges } from "../run/models";
import {
  ANSWER_GRIDS,
  type AnswerGrid,
  REGISTER_MODES,
  type RegisterMode,
} from "../run/placed_pair";
import { type AnswerFiles, checkAnswerFiles, predictFiles, writeAnswer } from "../run/predict_pair";
import { TerminalObserver } from "../run/terminal_observer";
import { MIRROR } from "../settings/inference";
import { WINDOW_WEIGHTS } from "../settings/names";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import {
  countOption,
  nonNegativeOption,
  optionParser,
  pathsOption,
  probabilityOption,
} from "../terminal/options";
import { printResult } from "../terminal/result";
import { Stages } from "../terminal/stages";
import { changeText, NO_NETWORK } from "./predict/change";
import { findingsText, ruleText } from "./predict/report";
import { SERIES_OPTION } from "./predict/series_option";

interface Options extends TuneFlags, Partial<LesionRule>, ModelChanges, AnswerFiles {
  readonly t1: string;
  readonly t2: string;
  readonly weights?: string[];
  readonly mask?: string;
  readonly series?: number[];
  readonly precision: Precision;
  readonly batch?: number;
  readonly register: RegisterMode;
  readonly bias: BiasMode;
  readonly grid: AnswerGrid;
  readonly strict: boolean;
  readonly adapter?: string;
}

/** In place of weights: the statistic of change. */
const NONE = "none";
/** Exit code of --strict where the visits are not fit to be compared. */
const NOT_FIT = 3;

const program = makeCommand("predict", "Segments the lesions that are new at the second visit.")
  .requiredOption("--t1 <file>", `FLAIR of the first visit, ${SCAN_TEXT} (also: -t1 FILE)`)
  .requiredOption("--t2 <file>", "FLAIR of the second visit (also: -t2 FILE)")
  .requiredOption("-o, --output <file>", "mask to write")
  .option(
    "-w, --weights <files>",
    "weights files, or folders of runs or of a cross-validation, separated by commas: the mean " +
      "of their probabilities; shipped for those that come with voxgrad, none for a statistic " +
      "(default: the best of the newest run in runs/, else shipped, else none)",
    pathsOption,
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
  .addOption(
    new Option(
      "--register <when>",
      "put the visits on each other: auto (where they are not), always, or off (as the headers say)",
    )
      .choices(REGISTER_MODES)
      .default("auto" satisfies RegisterMode),
  )
  .addOption(
    new Option(
      "--bias <how>",
      "take the smooth difference in brightness between the visits out: auto, or off",
    )
      .choices(BIAS_MODES)
      .default("auto" satisfies BiasMode),
  )
  .addOption(
    new Option(
      "--grid <which>",
      "grid of the mask: of the first visit, the second, or between them",
    )
      .choices(ANSWER_GRIDS)
      .default("t1" satisfies AnswerGrid),
  )
  .option(...SERIES_OPTION)
  .option("--strict", "exit code 3 where the two visits are not fit to be compared", false)
  .option("--batch <n>", "most windows per run of a network (default: as tuned)", countOption)
  .option(...ADAPTER_OPTION);
withTuneOptions(program);
// The challenge's form has one dash before two letters, which no option parser knows.
program.parse(process.argv.map((arg) => arg.replace(/^-(t[12])$/, "--$1")));
await runMain(() => predict(program.opts<Options>()));

async function predict(options: Options): Promise<void> {
  if (withoutNetwork(options)) return statistic(options);
  const stages = new Stages();
  const models = loadModels(options.weights ?? [], options);
  checkAnswerFiles({ ...options, models }, options);
  stages.ended("start");
  const observer = new TerminalObserver(stages);
  await untilInterrupted(observer.signal, async () => {
    const request = { ...options, models };
    const open = () => openDevice({ adapter: options.adapter });
    const answer = await predictFiles(request, open, observer, observer.signal);
    await writeAnswer(answer, models, options);
    stages.ended("writing");
    say(stages.table());
    say(ruleText(answer.findings, answer.decision, options, models.length));
    const { alignment } = answer.placed;
    const fit = !alignment || alignment.trusted;
    if (!fit) printResult(doubtOf(alignment));
    printResult(findingsText(answer.findings));
    if (!fit && options.strict) process.exitCode = NOT_FIT;
  });
}

/** @throws UserError where `none` stands beside weights */
function withoutNetwork({ weights }: Options): boolean {
  if (!weights) return !hasUnnamed();
  if (!weights.includes(NONE)) return false;
  if (weights.length === 1) return true;
  throw new UserError(
    `--weights ${weights.join(",")}: none stands alone: leave it out, or the rest`,
  );
}

/** Without any network: registration and the change statistic. */
async function statistic(options: Options): Promise<void> {
  const stages = new Stages();
  const beside = filesBeside(options.output);
  for (const path of [options.output, ...Object.values(beside)]) checkNiftiPath(path);
  checkPaths({
    reads: [given("-t1", options.t1), given("-t2", options.t2)],
    writes: [given("-o", options.output), given("files beside -o", Object.values(beside))],
  });
  const only = (["probability", "report", "mask"] as const).find((name) => options[name]);
  if (only) {
    throw new UserError(`--${only} is of a network's prediction: name weights with --weights`);
  }
  say(NO_NETWORK);
  const observer = new TerminalObserver(stages);
  await untilInterrupted(observer.signal, async () => {
    const open = () => openDevice({ adapter: options.adapter });
    const change = await changeOfFiles(options, open, observer, observer.signal);
    await writeChange(change, options.output);
    stages.ended("writing");
    say(stages.table());
    const { alignment } = change.placed;
    const fit = !alignment || alignment.trusted;
    if (!fit) printResult(doubtOf(alignment));
    printResult(changeText(change));
    if (!fit && options.strict) process.exitCode = NOT_FIT;
  });
}
