/** The work on the pairs of a cohort at the terminal: device and networks once, progress, table, exit code. */
import { dirname } from "node:path";
import { version } from "../../../package.json";
import { during } from "../../choose/observer";
import type { CohortFolder, CohortSettings } from "../../cohort/folder";
import { changeWork, networkWork } from "../../cohort/pair_work";
import type { CohortPair } from "../../cohort/pairs";
import { runCohort } from "../../cohort/run_cohort";
import { type CohortRow, CohortTable } from "../../cohort/table";
import { UserError } from "../../core/errors";
import { Memory } from "../../gpu/memory";
import { openDevice } from "../../hosts/bun";
import type { Result } from "../../result/parts";
import { sha256Of } from "../../run/file_hash";
import { isWithoutNetwork, loadModels } from "../../run/models";
import type { NamedWeights } from "../../run/named_weights";
import type { Observer } from "../../run/observer";
import { openPredictor } from "../../run/predict_pair";
import { checkModels } from "../../run/predict_read";
import { TerminalObserver } from "../../run/terminal_observer";
import { say } from "../../terminal/command";
import { checkPaths, type GivenPaths, given } from "../../terminal/command_paths";
import { untilInterrupted } from "../../terminal/interrupt";
import { printResult } from "../../terminal/result";
import { isOfShard, type Shard } from "../../terminal/shard";
import { NO_NETWORK } from "./change";
import { CohortProgress, oneLine } from "./cohort_progress";
import { NOT_FIT, type PairOptions } from "./options";

export interface CohortJob {
  readonly pairs: readonly CohortPair[];
  readonly folder: CohortFolder;
  readonly shard?: Shard;
  readonly reads: GivenPaths;
  readonly fills: GivenPaths;
  readonly tables: readonly [csv: string, json: string];
  /** As of `PairWork`. */
  check(pair: CohortPair): void;
  /** Writes a result; its record last. */
  write(pair: CohortPair, result: Result): Promise<void>;
}

/** Exit code where a pair has failed and the others are done. */
const SOME_FAILED = 4;

export async function workOnPairs(options: PairOptions, job: CohortJob): Promise<void> {
  const { pairs, folder, shard } = job;
  const models = isWithoutNetwork(options.weights)
    ? undefined
    : loadModels(options.weights ?? [], options);
  const weights = models?.map(({ path }) => path);
  const scans = { ...given(job.reads.option, foldersOf(pairs)), whole: true };
  checkPaths({ reads: [job.reads, scans, given("-w", weights)], fills: [job.fills] });
  if (!models && options.operatingPoint !== "default") {
    throw new UserError(
      `--operating-point ${options.operatingPoint} is of a calibrated network: name weights with --weights`,
    );
  }
  const mine = pairs.filter(({ id }) => isOfShard(id, shard));
  folder.open(settingsOf(options, weights), pairs);
  const table = new CohortTable(folder, pairs, job.tables);
  table.write();
  const open = mine.filter(({ id }) => !folder.isDone(id));
  const part = shard ? ` in part ${shard.index} of ${shard.of}` : "";
  say(`${mine.length} of ${pairs.length} pairs${part}, ${open.length} not done yet`);
  if (!models) say(NO_NETWORK);
  const observer = new TerminalObserver();
  await untilInterrupted(observer.signal, async () => {
    if (open.length > 0) await predictAll(open, options, models, { ...job, table, observer });
  });
  tellEnd(table.write(), mine, job, options, observer.signal.aborted);
}

/** Folders with scans in them: nothing is written there. */
const foldersOf = (pairs: readonly CohortPair[]): string[] => [
  ...new Set(pairs.flatMap(({ t1, t2 }) => [t1, t2].filter((path) => path !== "").map(dirname))),
];

/** What all results share; a program of another version may give others. */
function settingsOf(options: PairOptions, weights: readonly string[] = []): CohortSettings {
  const { operatingPoint, brain, threshold, minLesionVolume, stride, windowWeights } = options;
  const { mirror, precision, register, bias, grid } = options;
  return {
    program: `voxgrad ${version}`,
    weights: weights.map(sha256Of),
    ...{ operatingPoint, brain, threshold, minLesionVolume, stride, windowWeights, mirror },
    ...{ precision, register, bias, grid },
  };
}

interface Work extends CohortJob {
  readonly table: CohortTable;
  readonly observer: TerminalObserver;
}

async function predictAll(
  open: readonly CohortPair[],
  options: PairOptions,
  models: readonly NamedWeights[] | undefined,
  { folder, table, observer, check, write }: Work,
): Promise<void> {
  const { signal } = observer;
  const progress = new CohortProgress(open.length);
  const watcher: Observer = {
    note: () => {}, // A record holds the lines about its pair.
    onWindows: (done, total) => progress.windows(done, total),
  };
  const openAdapter = () => openDevice({ adapter: options.adapter });
  const work = async () => {
    if (!models) {
      const device = await openAdapter();
      say(device.describe());
      return changeWork(new Memory(device), options, watcher, signal);
    }
    const request = { ...options, models };
    const bias = checkModels(request, observer);
    const predictor = await openPredictor(request, bias, openAdapter, observer, signal);
    return networkWork(predictor, watcher, signal);
  };
  const ready = { ...(await work()), check, write };
  await during(observer, "cohort", async () => {
    try {
      await runCohort(open, folder, table, ready, progress, signal);
    } finally {
      progress.stop();
    }
  });
}

function tellEnd(
  rows: readonly CohortRow[],
  mine: readonly CohortPair[],
  { tables }: CohortJob,
  { strict }: PairOptions,
  interrupted: boolean,
): void {
  const ids = new Set(mine.map(({ id }) => id));
  const own = rows.filter(({ patient }) => ids.has(patient));
  const count = (holds: (row: CohortRow) => boolean) => own.filter(holds).length;
  const [done, failed, open] = (["done", "failed", "open"] as const).map((status) =>
    count((row) => row.status === status),
  );
  const unfit = count(({ fit }) => fit === false);
  const parts = [
    `${done} of ${own.length} pairs done`,
    `${count(({ newLesion }) => newLesion === "yes")} with new lesions`,
    `${count(({ newLesion }) => newLesion === "no")} without`,
    `${count(({ newLesion }) => newLesion === "unknown")} not known`,
    ...(unfit > 0 ? [`${unfit} not fit to be compared`] : []),
    ...(failed! > 0 ? [`${failed} failed`] : []),
    ...(open! > 0 ? [`${open} ${interrupted ? "left" : "in work elsewhere"}`] : []),
  ];
  printResult(parts.join(", "));
  printResult(`table: ${tables.join(", ")}`);
  if (open! > 0 && !interrupted) {
    say(
      "other processes work on the rest; where one has died, the same command goes on with its pairs",
    );
  }
  for (const { patient, problem } of own.filter(({ status }) => status === "failed")) {
    say(`failed: ${oneLine(patient)}: ${problem}`);
  }
  if (interrupted) return;
  if (failed! > 0) process.exitCode = SOME_FAILED;
  else if (strict && unfit > 0) process.exitCode = NOT_FIT;
}
