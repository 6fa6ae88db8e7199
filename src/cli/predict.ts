import { Option } from "commander";
import { during } from "../choose/observer";
import { type TuneFlags, withTuneOptions } from "../choose/tune_options";
import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import type { LesionRule } from "../decision/found_lesions";
import { OPERATING_POINTS, type OperatingPointName } from "../decision/operating_points";
import { SCAN_TEXT } from "../dicom/read_visits";
import { destroyDevices } from "../gpu/device";
import { openDevice } from "../hosts/bun";
import type { PairQuality } from "../quality/pair_quality";
import { changeOfFiles, filesBeside, writeChange } from "../run/change_pair";
import { brainFile } from "../run/given_brain";
import { isWithoutNetwork, loadModels, type ModelChanges } from "../run/models";
import { ANSWER_GRIDS, type AnswerGrid } from "../run/placed_pair";
import { predictFiles, writeAnswer } from "../run/predict_pair";
import { resultOfAnswer, resultOfChange } from "../run/result_of_pair";
import { TerminalObserver } from "../run/terminal_observer";
import { MIRROR } from "../settings/inference";
import {
  BIAS_MODES,
  type BiasMode,
  REGISTER_MODES,
  type RegisterMode,
  WINDOW_WEIGHTS,
} from "../settings/names";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { type GivenPaths, given, givenScan } from "../terminal/command_paths";
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
import { viewResults } from "../viewer/view";
import { changeText, NO_NETWORK } from "./predict/change";
import {
  checkOutputs,
  needsResult,
  type OutputOptions,
  type Outputs,
  outputsOf,
  writeOutputs,
} from "./predict/outputs";
import { findingsText, ruleText } from "./predict/report";
import { SERIES_OPTION } from "./predict/series_option";

interface Options extends TuneFlags, Partial<LesionRule>, ModelChanges, OutputOptions {
  readonly t1: string;
  readonly t2: string;
  readonly weights?: string[];
  readonly operatingPoint: OperatingPointName;
  readonly brain: string;
  readonly series?: number[];
  readonly precision: Precision;
  readonly batch?: number;
  readonly register: RegisterMode;
  readonly bias?: BiasMode;
  readonly grid: AnswerGrid;
  readonly strict: boolean;
  readonly adapter?: string;
}

/** Exit code of --strict where the visits are not fit to be compared. */
const NOT_FIT = 3;

const program = makeCommand("predict", "Segments the lesions that are new at the second visit.")
  .requiredOption("--t1 <file>", `FLAIR of the first visit, ${SCAN_TEXT} (also: -t1 FILE)`)
  .requiredOption("--t2 <file>", "FLAIR of the second visit (also: -t2 FILE)")
  .option("-o, --output <file>", "mask to write (or give --out-dir)")
  .option(
    "--out-dir <dir>",
    "folder to write a result into, for `bun run view`: mask, map, both visits, report.html",
  )
  .option("--patient <id>", "as it stands in the report (default: the name of the folder)")
  .option("--view", "then show the result in the browser, as `bun run view` does", false)
  .option(
    "-w, --weights <files>",
    "weights files, or folders of runs or of a cross-validation, separated by commas: the mean " +
      "of their probabilities; shipped for those that come with voxgrad, none for a statistic " +
      "(default: the best of the newest run in runs/, else shipped, else none)",
    pathsOption,
  )
  .addOption(
    new Option(
      "--operating-point <name>",
      "rule for lesions, of weights that are calibrated: as tuned, sensitive, or with few false alarms",
    )
      .choices(OPERATING_POINTS)
      .default("default" satisfies OperatingPointName),
  )
  .option("--probability <file>", "also write the probability map")
  .option(
    "--report <files>",
    "also write a report, by the ending of its name: .html with pictures, .csv, else JSON",
    pathsOption,
  )
  .option(
    "--brain <mask>",
    "brain mask that keeps eyes, scalp and neck out: auto (looked for in both visits), off, or a " +
      "file, a mask of the first visit; weights trained with --normalisation mask need the file",
    "auto",
  )
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
      "take the smooth difference in brightness between the visits out: auto, or off (default: as the " +
        "weights were trained, else auto)",
    ).choices(BIAS_MODES),
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
  const outputs = outputsOf(options);
  if (isWithoutNetwork(options.weights)) return statistic(options, outputs);
  const stages = new Stages();
  const models = loadModels(options.weights ?? [], options);
  const weights = given(
    "-w",
    models.map(({ path }) => path),
  );
  checkOutputs([...readsOf(options), weights], outputs);
  stages.ended("start");
  const observer = new TerminalObserver(stages);
  await untilInterrupted(observer.signal, async () => {
    const request = { ...options, models, withVisits: needsResult(outputs) };
    const open = () => openDevice({ adapter: options.adapter });
    const answer = await predictFiles(request, open, observer, observer.signal);
    await writeAnswer(answer, models, outputs);
    stages.ended("writing");
    say(stages.table());
    say(ruleText(answer, options, models.length));
    tellFitness(answer.quality, options);
    printResult(findingsText(answer.findings, answer.quality));
    if (needsResult(outputs)) {
      const names = { ...options, patient: outputs.patient };
      await writeOutputs(resultOfAnswer(answer, models, names), outputs);
    }
    if (options.view) await view(outputs, observer);
  });
}

/** Without any network: registration and the change statistic. */
async function statistic(options: Options, outputs: Outputs): Promise<void> {
  const stages = new Stages();
  const { output } = outputs;
  checkOutputs(
    readsOf(options),
    outputs,
    output === undefined ? [] : Object.values(filesBeside(output)),
  );
  refuseOfNetwork(outputs);
  if (options.operatingPoint !== "default") {
    throw new UserError(
      `--operating-point ${options.operatingPoint} is of a calibrated network: name weights with --weights`,
    );
  }
  say(NO_NETWORK);
  const observer = new TerminalObserver(stages);
  await untilInterrupted(observer.signal, async () => {
    const open = () => openDevice({ adapter: options.adapter });
    const request = { ...options, withVisits: needsResult(outputs) };
    const change = await changeOfFiles(request, open, observer, observer.signal);
    if (output !== undefined) await writeChange(change, output);
    stages.ended("writing");
    say(stages.table());
    tellFitness(change.quality, options);
    printResult(changeText(change));
    if (needsResult(outputs)) {
      const names = { ...options, patient: outputs.patient };
      await writeOutputs(resultOfChange(change, names), outputs);
    }
    if (options.view) await view(outputs, observer);
  });
}

function readsOf({ t1, t2, brain }: Options): GivenPaths[] {
  return [givenScan("-t1", t1), givenScan("-t2", t2), given("--brain", brainFile(brain))];
}

/** @throws UserError for an output that only a network has */
function refuseOfNetwork({ probability, report }: Outputs): void {
  const named = Object.entries({ probability, report }).find(([, path]) => path !== undefined);
  if (!named) return;
  const other = named[0] === "report" ? "; or end the report in .html or .csv" : "";
  throw new UserError(
    `--${named[0]} is of a network's prediction: name weights with --weights${other}`,
  );
}

/** Where the visits are not fit to be compared, that comes before the answer. */
function tellFitness({ reservations }: PairQuality, { strict }: Options): void {
  for (const why of reservations) printResult(`NOT FIT: ${why}`);
  if (strict && reservations.length > 0) process.exitCode = NOT_FIT;
}

/** Until Ctrl-C. */
async function view({ folder }: Outputs, observer: TerminalObserver): Promise<void> {
  destroyDevices();
  const show = () => viewResults([folder!], { open: true }, printResult, observer.signal);
  await during(observer, "viewing", show);
}
