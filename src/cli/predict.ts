import { during } from "../choose/observer";
import { UserError } from "../core/errors";
import { SCAN_TEXT } from "../dicom/read_visits";
import { destroyDevices } from "../gpu/device";
import { openDevice } from "../hosts/bun";
import type { PairQuality } from "../quality/pair_quality";
import { changeOfFiles, filesBeside, writeChange } from "../run/change_pair";
import { hashed, visitNames } from "../run/file_hash";
import { brainFile } from "../run/given_brain";
import { isWithoutNetwork, loadModels } from "../run/models";
import { predictFiles, writeAnswer } from "../run/predict_pair";
import { resultOfAnswer, resultOfChange } from "../run/result_of_pair";
import { TerminalObserver } from "../run/terminal_observer";
import { makeCommand, say } from "../terminal/command";
import { type GivenPaths, given, givenScan } from "../terminal/command_paths";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { pathsOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { SHARD_OPTION } from "../terminal/shard";
import { Stages } from "../terminal/stages";
import { viewResults } from "../viewer/view";
import { changeText, NO_NETWORK } from "./predict/change";
import { type CohortOptions, predictCohort } from "./predict/cohort";
import { NOT_FIT, type PairOptions, withPairOptions } from "./predict/options";
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

interface Options extends PairOptions, OutputOptions, CohortOptions {
  readonly t1: string;
  readonly t2: string;
  readonly series?: number[];
}

const program = makeCommand("predict", "Segments the lesions that are new at the second visit.")
  .option("--t1 <file>", `FLAIR of the first visit, ${SCAN_TEXT} (also: -t1 FILE)`)
  .option("--t2 <file>", "FLAIR of the second visit (also: -t2 FILE)")
  .option("-o, --output <file>", "mask to write (or give --out-dir)")
  .option(
    "--out-dir <dir>",
    "folder to write a result into, for `bun run view`: mask, map, both visits, report.html",
  )
  .option("--patient <id>", "as it stands in the report (default: the name of the folder)")
  .option("--view", "then show the result in the browser, as `bun run view` does", false)
  .option("--probability <file>", "also write the probability map")
  .option(
    "--allowed <file>",
    "also write where lesions may lie: well inside the brain of both visits, and brighter at the second",
  )
  .option(
    "--report <files>",
    "also write a report, by the ending of its name: .html with pictures, .csv, else JSON",
    pathsOption,
  )
  .option(...SERIES_OPTION)
  .option(
    "--cohort <dir>",
    "in place of -t1 and -t2: every pair of a folder in the layout of MSSEG-2, of patients' visits as DICOM, or of a data set in BIDS",
  )
  .option(
    "--out <dir>",
    "of --cohort: the folder for a result of each patient and the table of all",
  )
  .option(...SHARD_OPTION);
withPairOptions(program);
// The challenge's form has one dash before two letters, which no option parser knows.
program.parse(process.argv.map((arg) => arg.replace(/^-(t[12])$/, "--$1")));
const options = program.opts<Options>();
if (options.cohort === undefined) requireVisits(options);
await runMain(() => (options.cohort === undefined ? predict(options) : predictCohort(options)));

/** In commander's words, with exit code 2. */
function requireVisits({ t1, t2, out, shard }: Partial<Options>): void {
  const missing = t1 === undefined ? "--t1 <file>" : t2 === undefined ? "--t2 <file>" : undefined;
  if (missing) {
    program.error(`error: required option '${missing}' not specified (or --cohort DIR)`);
  }
  const other = out !== undefined ? "--out" : shard && "--shard";
  if (other) program.error(`error: ${other} is of --cohort DIR; of one pair give -o or --out-dir`);
}

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
      const names = { ...options, ...visitNames(options), patient: outputs.patient };
      await writeOutputs(resultOfAnswer(answer, hashed(models), names), outputs);
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
      const names = { ...options, ...visitNames(options), patient: outputs.patient };
      await writeOutputs(resultOfChange(change, names), outputs);
    }
    if (options.view) await view(outputs, observer);
  });
}

function readsOf({ t1, t2, brain }: Options): GivenPaths[] {
  return [givenScan("-t1", t1), givenScan("-t2", t2), given("--brain", brainFile(brain))];
}

/** @throws UserError for an output that only a network has */
function refuseOfNetwork({ probability, allowed, report }: Outputs): void {
  const named = Object.entries({ probability, allowed, report }).find(
    ([, path]) => path !== undefined,
  );
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
