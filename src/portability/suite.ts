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
import { isOf } from "./report/resumed";
import {
  type Column as ColumnReport,
  columnName,
  type Report,
  type Result,
  type Status,
} from "./report/schema";
import { Column, ENDS, NotStarted } from "./runner";

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
  readonly worker: string;
}

/** Rows whose cases want the adapter for themselves. */
const ALONE = /^(load|limits)\./;
/** Results that say nothing but of the case: the others may come of Ctrl-C, which reaches workers too. */
const OF_THE_CASE: readonly Status[] = ["passed", "failed", "skipped"];

/** Seconds between two states of the report on disk. */
const SAVE_EVERY = 5;

/** On a GPU the float64 references take the time; a software driver wants all cores for itself. */
export function workersFor(kind: AdapterKind, cores = cpus().length): number {
  return kind === "hardware" ? Math.max(1, Math.min(8, Math.floor(cores / 2))) : 1;
}

/** A column at work. */
interface Running {
  readonly into: ColumnReport;
  /** Those that run. A worker that does not start is none of them any more. */
  readonly columns: Set<Column>;
  /** Cases that ended a worker beside others, and how. */
  readonly doubtful: Map<ListedCase, Status>;
  readonly start: number;
}

export class Suite {
  readonly report: Report;
  private readonly progress = new ProgressLine({});
  private readonly rate = new Rate();
  private readonly commit = currentCommit();
  private done = 0;
  /** Cases to run, of the columns that are listed. */
  private readonly totals: number[] = [];
  /** Columns that are not listed yet, and were not complete. */
  private unknown = 0;
  private lastSave = 0;
  private saveError: unknown;

  constructor(
    private readonly chosen: Chosen,
    private readonly options: SuiteOptions,
    private readonly signal: AbortSignal,
    /** Called now and then with what there is so far. */
    private readonly save: (report: Report) => void,
    /** An earlier one that is gone on with (report/resumed.ts). */
    earlier?: Report,
  ) {
    this.report = earlier ?? newReport(chosen, options);
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
        if (this.isOver) return;
        await this.runColumn(next);
      }
    };
    try {
      await Promise.all(Array.from({ length: this.options.jobs }, work));
    } finally {
      this.progress.stop();
    }
    if (this.saveError) throw this.saveError;
    this.save(this.report);
  }

  private get isOver(): boolean {
    return this.signal.aborted || this.saveError !== undefined;
  }

  private async runColumn({
    host,
    adapter,
    into,
  }: Chosen["columns"][number] & { readonly into: ColumnReport }): Promise<void> {
    const { timeout, worker } = this.options;
    const how = { worker, timeout, signal: this.signal };
    const length = this.options.workers ?? workersFor(adapter.kind);
    const columns = Array.from({ length }, () => new Column(host, adapter, how));
    const start = performance.now() / 1000 - into.seconds;
    const running = { into, start, columns: new Set(columns), doubtful: new Map() };
    if (!into.complete) this.unknown--;
    into.complete = false;
    try {
      const { rest, order } = await this.list(columns[0]!, into);
      this.totals.push(rest.length);
      const isAlone = ({ id }: ListedCase) => length === 1 || ALONE.test(id);
      const [alone, together] = [rest.filter(isAlone), rest.filter((c) => !isAlone(c))];
      await this.runTogether(running, columns, together);
      await this.runAlone(running, [...running.doubtful.keys(), ...alone]);
      if (this.isOver) return;
      into.results.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
      into.complete = true;
    } catch (error) {
      if (this.isOver) return;
      const reason = `${adapter.name}: ${(error as Error).message.split("\n")[0]}`;
      this.progress.note(`${columnName(into)} does not run: ${reason}`);
      this.report.missing.push({ implementation: host.name, reason });
    } finally {
      await Promise.all(columns.map((column) => column.stop()));
    }
  }

  /** The cases that the column has not run yet, and the place of all. */
  private async list(column: Column, into: ColumnReport) {
    const { seed, short, cases: patterns } = this.options;
    const list = await column.ask({ do: "list", seed, short, patterns });
    if (!("listed" in list)) throw new Error("the worker did not list its cases");
    into.skipped = [...list.skipped];
    const order = new Map(list.listed.map(({ id }, i) => [id, i]));
    const kept = into.results.filter(({ id }) => order.has(id));
    const dropped = into.results.length - kept.length;
    if (dropped > 0) this.tell(into, `${dropped} results of cases that are no more are dropped`);
    into.results = kept;
    const known = new Set(kept.map(({ id }) => id));
    const rest = list.listed.filter(({ id }) => !known.has(id));
    if (rest.length > 0 && this.commit) {
      const others = (into.commits ?? []).filter((commit) => commit !== this.commit);
      if (kept.length > 0 && others.length > 0) {
        this.tell(
          into,
          `${kept.length} results of ${others.join(", ")} stay; voxgrad is at ${this.commit}`,
        );
      }
      into.commits = [...others, this.commit];
    }
    return { rest, order };
  }

  /** Each worker its own cases. One that does not start gives its own to the others. */
  private async runTogether(
    { into, columns: live, doubtful, start }: Running,
    columns: readonly Column[],
    cases: readonly ListedCase[],
  ): Promise<void> {
    const queues = new Queues(cases, columns.length);
    let failure: unknown;
    const drain = async (column: Column, i: number) => {
      for (let c = queues.next(i); c && !this.isOver; c = queues.next(i)) {
        try {
          const result = await column.attempt(c);
          // It may be another's fault: by itself it shows.
          if (ENDS.includes(result.status)) doubtful.set(c, result.status);
          else this.add(into, result, start);
        } catch (error) {
          if (!(error instanceof NotStarted)) throw error;
          failure = error;
          queues.giveBack(i, c);
          live.delete(column);
          if (live.size > 0) this.tell(into, `one worker fewer: ${error.message.split("\n")[0]}`);
          return;
        }
      }
    };
    // Once more where one gave its case back after the others had ended.
    while (queues.length > 0 && !this.isOver) {
      if (live.size === 0) throw failure;
      await Promise.all(columns.map((column, i) => live.has(column) && drain(column, i)));
    }
  }

  /** One after the other, with no other worker that holds the device. */
  private async runAlone(
    { into, columns, doubtful, start }: Running,
    cases: readonly ListedCase[],
  ): Promise<void> {
    const [column, ...others] = columns;
    await Promise.all(others.map((other) => other.stop()));
    for (const c of cases) {
      if (this.isOver) return;
      const result = await column!.run(c);
      const beside = doubtful.get(c);
      const note = beside && `${beside} beside other workers`;
      if (note && !isFailure(result)) this.tell(into, `${c.id} ${note}, right by itself`);
      this.add(into, note ? { ...result, note } : result, start);
    }
  }

  private add(into: ColumnReport, result: Result, start: number): void {
    if (this.isOver && !OF_THE_CASE.includes(result.status)) return;
    into.results.push(result);
    into.seconds = Number((performance.now() / 1000 - start).toFixed(1));
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
    const listed = this.totals.reduce((a, b) => a + b, 0);
    const mean = listed / this.totals.filter((total) => total > 0).length;
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
      this.saveError = error;
    }
  }
}
