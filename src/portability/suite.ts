/** A run of the suite over columns, and the report that grows with it. */
import { cpus, release, totalmem, type } from "node:os";
import { version } from "../../package.json";
import type { AdapterKind } from "../gpu/adapter";
import { duration, ProgressLine } from "../terminal/progress";
import { Rate } from "../terminal/rate";
import type { Chosen } from "./columns";
import type { HostAdapter } from "./host";
import type { ListedCase } from "./messages";
import { Queues } from "./queues";
import { isFailure } from "./report/cells";
import {
  type Column as ColumnReport,
  columnName,
  FORMAT,
  type Report,
  VERSION,
} from "./report/schema";
import { Column, ENDS } from "./runner";

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

/** Seconds between two states of the report on disk. */
const SAVE_EVERY = 5;

/** On a GPU the float64 references take the time; a software driver wants all cores for itself. */
export function workersFor(kind: AdapterKind, cores = cpus().length): number {
  return kind === "hardware" ? Math.max(1, Math.min(8, Math.floor(cores / 2))) : 1;
}

export class Suite {
  readonly report: Report;
  private readonly progress = new ProgressLine({});
  private readonly rate = new Rate();
  private done = 0;
  private readonly totals: number[] = [];
  private lastSave = 0;

  constructor(
    private readonly chosen: Chosen,
    private readonly options: SuiteOptions,
    private readonly signal: AbortSignal,
    /** Called now and then with what there is so far. */
    private readonly save: (report: Report) => void,
    /** An earlier, incomplete report. */
    earlier?: Report,
  ) {
    this.report = earlier ?? emptyReport(chosen, options);
  }

  /** Runs every column to its end, or to the signal. */
  async run(): Promise<void> {
    const queue = [...this.chosen.columns];
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
      this.save(this.report);
    }
  }

  private async runColumn({ host, adapter }: Chosen["columns"][number]): Promise<void> {
    const into = this.columnReport(host.name, adapter);
    const { seed, short, cases: patterns, timeout, worker } = this.options;
    const workers = this.options.workers ?? workersFor(adapter.kind);
    const how = { worker, timeout, signal: this.signal };
    const columns = Array.from({ length: workers }, () => new Column(host, adapter, how));
    const start = performance.now() / 1000 - into.seconds;
    try {
      const list = await columns[0]!.ask({ do: "list", seed, short, patterns });
      if (!("listed" in list)) throw new Error("the worker did not list its cases");
      into.skipped = [...list.skipped];
      // A report of an older suite may hold cases that are no more.
      const order = new Map(list.listed.map(({ id }, i) => [id, i]));
      into.results = into.results.filter(({ id }) => order.has(id));
      const known = new Set(into.results.map(({ id }) => id));
      const rest = list.listed.filter(({ id }) => !known.has(id));
      this.totals.push(rest.length);
      into.complete = rest.length === 0;
      const drain = async (column: Column, next: () => ListedCase | undefined) => {
        for (let c = next(); c && !this.signal.aborted; c = next()) {
          await this.runCase(column, into, c);
          into.seconds = Number((performance.now() / 1000 - start).toFixed(1));
          this.saveNowAndThen();
        }
      };
      const together = rest.filter(({ id }) => workers > 1 && !ALONE.test(id));
      const alone = rest.filter(({ id }) => workers === 1 || ALONE.test(id));
      const queues = new Queues(together, workers);
      await Promise.all(columns.map((column, i) => drain(column, () => queues.next(i))));
      await drain(columns[0]!, () => alone.shift());
      if (this.signal.aborted) return;
      into.results.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
      into.complete = true;
    } catch (error) {
      const reason = `${adapter.name}: ${(error as Error).message.split("\n")[0]}`;
      this.progress.note(`${columnName(into)} does not run: ${reason}`);
      this.report.missing.push({ implementation: host.name, reason });
    } finally {
      await Promise.all(columns.map((column) => column.stop()));
    }
  }

  private async runCase(column: Column, into: ColumnReport, c: ListedCase): Promise<void> {
    const result = await column.run(c);
    if (this.signal.aborted && ENDS.includes(result.status)) return; // Ctrl-C ended it
    into.results.push(result);
    if (isFailure(result)) {
      const { id, status, faults } = result;
      this.progress.note(`${columnName(into)}: ${id} ${status}: ${faults?.[0] ?? ""}`);
    }
    this.done++;
    const now = performance.now() / 1000;
    this.rate.add(now, this.done);
    // Columns that have not begun are taken to be like those that have.
    const mean = this.totals.reduce((a, b) => a + b, 0) / this.totals.length;
    const total = Math.max(this.done, Math.round(mean * this.chosen.columns.length));
    const left = this.rate.secondsUntil(total);
    this.progress.update(this.done / total, [
      `case ${this.done}/${total}`,
      ...(left === undefined ? [] : [`${duration(left)} left`]),
      ...(this.rate.recent === undefined ? [] : [`${this.rate.recent.toPrecision(2)} cases/s`]),
      column.host.name,
      c.id,
    ]);
  }

  private columnReport(implementation: string, adapter: HostAdapter): ColumnReport {
    const { columns } = this.report;
    const found = columns.find(
      (c) =>
        c.implementation === implementation &&
        c.adapter.name === adapter.name &&
        c.adapter.driver === adapter.driver,
    );
    if (found) return found;
    const made: ColumnReport = {
      ...{
        implementation,
        adapter: { ...adapter, features: [...adapter.features] },
        seconds: 0,
        complete: false,
        skipped: [],
        results: [],
      },
    };
    columns.push(made);
    return made;
  }

  private saveNowAndThen(): void {
    const now = performance.now() / 1000;
    if (now - this.lastSave < SAVE_EVERY) return;
    this.lastSave = now;
    this.save(this.report);
  }
}

function emptyReport({ missing }: Chosen, { short, seed, cases }: SuiteOptions): Report {
  const [first] = cpus();
  return {
    format: FORMAT,
    version: VERSION,
    started: new Date().toISOString(),
    voxgrad: { version, commit: commit() },
    machine: {
      os: `${type()} ${release()} ${process.arch}`,
      processor: first?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryBytes: totalmem(),
    },
    options: { short, seed, cases: [...cases] },
    columns: [],
    missing: [...missing],
  };
}

function commit(): string | undefined {
  const { success, stdout } = Bun.spawnSync(
    ["git", "describe", "--always", "--dirty", "--exclude=*"],
    {
      cwd: import.meta.dir,
      stderr: "ignore",
    },
  );
  return success ? stdout.toString().trim() : undefined;
}
