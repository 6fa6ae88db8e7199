/** Trains the runs of an experiment, each by `bun run train` in a process of its own. */
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { isInterruption } from "../platform/interruption";
import { trainInProcess } from "../run/training_process";
import { claimRun, isDone, logPath, readEnd, runPath, type Setup, writeEnd } from "./folder";
import { type PlannedRun, trainArguments } from "./grid";

export interface ExecuteOptions {
  readonly folder: string;
  readonly setup: Setup;
  readonly runs: readonly PlannedRun[];
  /** Trainings at a time. */
  readonly processes: number;
  /** Ends the runs that are going, with everything saved. */
  readonly signal: AbortSignal;
  readonly onStart: (run: PlannedRun) => void;
  readonly onEnd: (run: PlannedRun, failed: string | undefined) => void;
}

/**
 * Does what is not done; runs that another process has claimed are left to it.
 * @throws UserError when a run ends before it has begun: its options or the data are wrong
 */
export async function executeRuns(options: ExecuteOptions): Promise<void> {
  const waiting = options.runs.filter(({ id }) => !isDone(readEnd(options.folder, id)));
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const work = async () => {
    for (let run = waiting.shift(); run && !signal.aborted; run = waiting.shift()) {
      await executeRun(run, { ...options, signal });
    }
  };
  const workers = Array.from({ length: options.processes }, () =>
    work().catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  );
  const ends = await Promise.allSettled(workers);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function executeRun(run: PlannedRun, options: ExecuteOptions): Promise<void> {
  const { folder, onStart, onEnd } = options;
  const release = claimRun(folder, run.id);
  if (!release) return;
  try {
    // Another process may have done it since we looked.
    if (isDone(readEnd(folder, run.id))) return;
    onStart(run);
    const code = await train(run, options);
    if (isInterruption(code) || options.signal.aborted) return;
    const failed = code === 0 ? undefined : lastLine(logPath(folder, run.id));
    if (failed !== undefined && !hasBegun(folder, run))
      throw new UserError(failedText(run, failed));
    writeEnd(folder, run.id, { failed });
    onEnd(run, failed);
  } finally {
    release();
  }
}

const failedText = ({ arm, seed }: PlannedRun, reason: string) =>
  `"${arm}", seed ${seed}: ${reason.replace(/^voxgrad: /, "")}`;

const hasBegun = (folder: string, { id }: PlannedRun) =>
  existsSync(join(runPath(folder, id), "config.json"));

/** The last line of the training, which for an error is its message. */
function lastLine(path: string): string {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.findLast((line) => line.startsWith("voxgrad: ")) ?? lines.at(-1) ?? "no output";
}

/** The exit code of one training, which goes on where an earlier one stopped. */
async function train(run: PlannedRun, { folder, setup, signal }: ExecuteOptions): Promise<number> {
  const args = hasBegun(folder, run)
    ? ["--resume", runPath(folder, run.id)]
    : startArguments(run, folder, setup);
  const log = openSync(logPath(folder, run.id), "a");
  try {
    const given = [...args, "--adapter", setup.adapter];
    return await trainInProcess(given, ["ignore", log, log], signal);
  } finally {
    closeSync(log);
  }
}

function startArguments(run: PlannedRun, folder: string, setup: Setup): string[] {
  const budget =
    "seconds" in setup.budget
      ? ["--budget", `${setup.budget.seconds}s`]
      : ["--iterations", String(setup.budget.iterations)];
  return [
    ...["--data", setup.data, "--out", runPath(folder, run.id), "--seed", String(run.seed)],
    ...["--val", setup.validation.join(",")],
    ...(setup.preset === undefined ? [] : ["--preset", setup.preset]),
    ...budget,
    ...trainArguments(run.settings),
  ];
}
