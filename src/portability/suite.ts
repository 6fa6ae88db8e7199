/** A run of the suite over columns, and the report that grows with it. */
import { cpus } from "node:os";
import type { AdapterKind } from "../gpu/adapter";
import { duration, ProgressLine } from "../terminal/progress";
import { Rate } from "../terminal/rate";
import type { Chosen } from "./columns";
import type { HostAdapter } from "./host";
import type { ListedCase } from "./messages";
import { Queues } from "./queues";
import { isFailure } from "./report/cells";
import { currentCommit, newReport } from "./report/new";
import { isOf, reasonOf } from "./report/resumed";
import { type Column as ColumnReport, columnName, type Report, type Result } from "./report/schema";
import { Column, ENDS, NotStarted, WorkerLost } from "./runner";

export interface SuiteOptions {
  readonly short: boolean;
  readonly seed: number;
  /** Ids and patterns; empty: all. */
  readonly cases: readonly string[];
  /** Seconds for a case. */
  readonly timeout: number;
  /** Columns at a time. */
  readonly jobs: number;
  /** Cases of a column at a time, each in a worker of its own; absent: as many as suit the adapter. */
  readonly workers?: number;
  /** Seconds before further tries to start one, see ColumnOptions. */
  readonly pauses?: readonly number[];
  readonly worker: string;
}

/** Rows whose cases want the adapter for themselves. */
const ALONE = /^(load|limits)\./;

/** Seconds between two states of the report on disk. */
const SAVE_EVERY = 5;

/** On a GPU the float64 references take the time; a software driver wants all cores for itself. */
export function workersFor(kind: AdapterKind, cores = cpus().length): number {
  return kind === "hardware" ? Math.max(1, Math.min(8, Math.floor(cores / 2))) : 1;
}

/** A column at work. */
interface Running {
  readonly into: ColumnReport;
  readonly workers: readonly Column[];
  /** Without those that do not start any more. */
  readonly live: Set<Column>;
  /** Results of cases that ended a worker beside others, until they have run by themselves. */
  readonly doubtful: Map<ListedCase, Result>;
  readonly start: number;
}

export class Suite {
  readonly report: Report;
  private readonly progress = new ProgressLine({});
  private readonly rate = new Rate();
  private readonly commit = currentCommit();
  private done = 0;
  /** Cases to run, of the columns that are listed; of one that ended early, those that it ran. */
  private readonly totals = new Map<ColumnReport, number>();
  /** Columns that have not begun, and were not complete. */
  private unknown = 0;
  private lastSave = 0;
  private readonly failed = new AbortController();
  /** Ctrl-C, or the end of a run that cannot save its report. */
  private readonly signal: AbortSignal;

  constructor(
    private readonly chosen: Chosen,
    private readonly options: SuiteOptions,
    signal: AbortSignal,
    /** Called now and then with what there is so far. */
    private readonly save: (report: Report) => void,
    /** An earlier one that is gone on with (report/resumed.ts). */
    earlier?: Report,
  ) {
    this.report = earlier ?? newReport(chosen, options);
    this.signal = AbortSignal.any([signal, this.failed.signal]);
  }

  /** Runs every column to its end, or to the signal. @throws what `save` throws */
  async run(): Promise<void> {
    const queue = this.chosen.columns.map(({ host, adapter }) => {
      const into = this.columnReport(host.name, adapter);
      if (!into.complete) this.unknown++;
      return { host, adapter, into };
    });
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        if (this.signal.aborted) return;
        await this.runColumn(next);
      }
    };
    try {
      await Promise.all(Array.from({ length: this.options.jobs }, work));
    } finally {
      this.progress.stop();
      if (!this.failed.signal.aborted) this.save(this.report);
    }
    this.failed.signal.throwIfAborted();
  }

  private async runColumn({
    host,
    adapter,
    into,
  }: Chosen["columns"][number] & { readonly into: ColumnReport }): Promise<void> {
    const { timeout, worker, pauses } = this.options;
    const how = { worker, timeout, pauses, signal: this.signal };
    const length = this.options.workers ?? workersFor(adapter.kind);
    const workers = Array.from({ length }, () => new Column(host, adapter, how));
    const start = performance.now() / 1000 - into.seconds;
    const running: Running = {
      ...{ into, start, workers, live: new Set(workers), doubtful: new Map() },
    };
    if (!into.complete) this.unknown--;
    into.complete = false;
    let kept = into.results.length;
    try {
      const { rest, order } = await this.list(workers[0]!, into);
      kept = into.results.length;
      this.totals.set(into, rest.length);
      const isAlone = ({ id }: ListedCase) => length === 1 || ALONE.test(id);
      await this.runTogether(
        running,
        rest.filter((c) => !isAlone(c)),
      );
      await this.runAlone(running, [...running.doubtful.keys(), ...rest.filter(isAlone)]);
      if (this.signal.aborted) return;
      into.results.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
      into.complete = true;
    } catch (error) {
      if (this.signal.aborted) return;
      // The adapter may be gone because of them.
      for (const result of running.doubtful.values()) this.add(running, result);
      const reason = reasonOf(adapter, (error as Error).message.split("\n")[0]!);
      this.progress.note(`${columnName(into)} does not run: ${reason}`);
      this.report.missing.push({ implementation: host.name, reason });
      this.totals.set(into, into.results.length - kept);
    } finally {
      await Promise.allSettled(workers.map((each) => each.stop()));
    }
  }

  /** The cases that the column has not run yet, and the place of all. */
  private async list(worker: Column, into: ColumnReport) {
    const { seed, short, cases: patterns } = this.options;
    const request = { do: "list", seed, short, patterns } as const;
    const list = await worker.ask(request).catch((error) => {
      if (error instanceof WorkerLost) return worker.ask(request);
      throw error;
    });
    if (!("listed" in list)) throw new Error("the worker did not list its cases");
    const { listed, skipped } = list;
    if (listed.length === 0 && into.results.length > 0) {
      throw new Error(`none of the ${into.results.length} cases that the report has is there now`);
    }
    into.skipped = [...skipped];
    const order = new Map(listed.map(({ id }, i) => [id, i]));
    const kept = into.results.filter(({ id }) => order.has(id));
    const dropped = into.results.length - kept.length;
    if (dropped > 0) this.tell(into, `${dropped} results of cases that are no more are dropped`);
    into.results = kept;
    const known = new Set(kept.map(({ id }) => id));
    const rest = listed.filter(({ id }) => !known.has(id));
    const { commit } = this.report.voxgrad;
    // Reports did not always name the commits of a column.
    if (kept.length > 0 && !into.commits && commit) into.commits = [commit];
    const others = (into.commits ?? []).filter((other) => other !== this.commit);
    if (rest.length > 0 && kept.length > 0 && this.commit && others.length > 0) {
      this.tell(into, `${kept.length} results of ${others} stay; voxgrad is at ${this.commit}`);
    }
    return { rest, order };
  }

  /** Each worker its own cases. One that does not start gives its own to the others. */
  private async runTogether(running: Running, cases: readonly ListedCase[]): Promise<void> {
    const { into, workers, live, doubtful } = running;
    const queues = new Queues(cases, workers.length);
    let failure: unknown;
    const drain = async (worker: Column, i: number) => {
      for (let c = queues.next(i); c && !this.signal.aborted; c = queues.next(i)) {
        try {
          const result = await worker.attempt(c);
          if (!ENDS.includes(result.status)) this.add(running, result);
          else {
            // It may be another's fault: by itself it shows.
            doubtful.set(c, result);
            const { id, status, faults } = result;
            this.tell(into, `${id} ${status} beside other workers: ${faults?.[0] ?? ""}`);
          }
        } catch (error) {
          if (!(error instanceof NotStarted)) throw error;
          failure = error;
          queues.giveBack(i, c);
          live.delete(worker);
          if (live.size > 0) this.tell(into, `one worker fewer: ${error.message.split("\n")[0]}`);
          return;
        }
      }
    };
    // Once more where one gave its case back after the others had ended.
    while (queues.length > 0 && !this.signal.aborted) {
      if (live.size === 0) throw failure;
      await Promise.all(workers.map((worker, i) => live.has(worker) && drain(worker, i)));
    }
  }

  /** One after the other, with no other worker that holds the device. */
  private async runAlone(running: Running, cases: readonly ListedCase[]): Promise<void> {
    const { live, doubtful } = running;
    const [worker, ...others] = live;
    await Promise.allSettled(others.map((other) => other.stop()));
    for (const c of cases) {
      if (this.signal.aborted) return;
      const result = await worker!.run(c);
      const beside = doubtful.get(c)?.status;
      doubtful.delete(c);
      this.add(running, beside ? { ...result, beside } : result);
    }
  }

  private add({ into, start }: Running, result: Result): void {
    const { commit } = this;
    into.results.push(result);
    into.seconds = Number((performance.now() / 1000 - start).toFixed(1));
    if (commit && into.commits?.at(-1) !== commit) {
      into.commits = [...(into.commits ?? []).filter((other) => other !== commit), commit];
    }
    if (isFailure(result)) {
      const { id, status, faults } = result;
      this.tell(into, `${id} ${status}: ${faults?.[0] ?? ""}`);
    }
    this.done++;
    this.show(into, result.id);
    this.saveNowAndThen();
  }

  private tell(into: ColumnReport, text: string): void {
    this.progress.note(`${columnName(into)}: ${text}`);
  }

  private show({ implementation }: ColumnReport, id: string): void {
    this.rate.add(performance.now() / 1000, this.done);
    // Columns that have not begun are taken to be like those that have.
    const totals = [...this.totals.values()];
    const listed = totals.reduce((a, b) => a + b, 0);
    const mean = listed / totals.filter((total) => total > 0).length;
    const total = Math.max(this.done, Math.round(listed + mean * this.unknown));
    const left = this.rate.secondsUntil(total);
    this.progress.update(this.done / total, [
      `case ${this.done}/${total}`,
      ...(left === undefined ? [] : [`${duration(left)} left`]),
      ...(this.rate.recent === undefined ? [] : [`${this.rate.recent.toPrecision(2)} cases/s`]),
      implementation,
      id,
    ]);
  }

  private columnReport(implementation: string, adapter: HostAdapter): ColumnReport {
    const { columns } = this.report;
    const found = columns.find((column) => isOf(column, implementation, adapter));
    if (found) return found;
    const made: ColumnReport = {
      ...{ implementation, adapter: { ...adapter, features: [...adapter.features] } },
      ...{ seconds: 0, complete: false, skipped: [], results: [] },
    };
    columns.push(made);
    return made;
  }

  /** An error ends the run, and is told once, when all workers are stopped. */
  private saveNowAndThen(): void {
    const now = performance.now() / 1000;
    if (now - this.lastSave < SAVE_EVERY) return;
    this.lastSave = now;
    try {
      this.save(this.report);
    } catch (error) {
      this.failed.abort(error);
    }
  }
}
