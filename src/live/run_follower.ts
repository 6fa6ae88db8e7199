/** Follows the files of one run, for one page: each call gives what is new since the one before. */
import { statSync } from "node:fs";
import { UserError } from "../core/errors";
import { parseJson } from "../core/json";
import { metricsSchema } from "../run/metrics_line";
import { metricsPath, openRunFolder, type RunFolder } from "../run/run_folder";
import { isLocked } from "../run/run_lock";
import { logPath } from "../run/run_log";
import { patientPicture } from "../run/run_pictures";
import { readValidation } from "../run/validation_record";
import type { NamedRun } from "./find_runs";
import { FollowedFile } from "./followed_file";
import type { Line, Message, RunPicture, RunState } from "./message";
import { infoOf } from "./run_settings";

/** Lines in one message: the page draws between two of them. */
const MOST_LINES = 2000;

export class RunFollower {
  private readonly metrics: FollowedFile;
  private readonly log: FollowedFile;
  /** The messages that were sent last, by kind, as text. */
  private readonly sent = new Map<Message["kind"], string>();
  private problems: string[] = [];
  /** Lines of metrics.jsonl that were read. */
  private count = 0;
  /** Iteration of the last one. */
  private last = 0;

  /** @param id by which the page calls the run; it is in the pictures' addresses */
  constructor(
    private readonly run: NamedRun,
    private readonly id: number,
  ) {
    this.metrics = new FollowedFile(metricsPath(run.path));
    this.log = new FollowedFile(logPath(run));
  }

  poll(): Message[] {
    this.problems = this.problems.filter((text) => text.includes("metrics.jsonl"));
    const lines = this.metricsNews();
    const now = [...this.folderNews(), ...lines, ...this.logNews()];
    const text = this.problems[0] ?? "";
    if (text !== "" || this.sent.has("problem")) {
      now.push(...this.unlessSent({ kind: "problem", run: this.id, text }));
    }
    return now;
  }

  private folderNews(): Message[] {
    const { id: run } = this;
    try {
      const folder = openRunFolder(this.run.path);
      return [
        { kind: "info", run, info: infoOf(folder, this.run.name) } as const,
        { kind: "state", run, state: stateOf(folder, this.last) } as const,
        { kind: "pictures", run, pictures: picturesOf(folder, run) } as const,
      ].flatMap((message) => this.unlessSent(message));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.problems.push(error.message);
      return [];
    }
  }

  private metricsNews(): Message[] {
    const { reset, lines } = this.metrics.poll();
    if (reset) {
      this.count = 0;
      this.problems = [];
    }
    const read = lines.flatMap((line) => this.lineOf(line));
    this.last = read.at(-1)?.iteration ?? (reset ? 0 : this.last);
    return inParts(read, reset).map((part) => ({ kind: "lines", run: this.id, ...part }));
  }

  /** A line that is none costs a word, not the rest. */
  private lineOf(text: string): Line[] {
    this.count++;
    try {
      const what = `${metricsPath(this.run.path)}: line ${this.count}`;
      return [parseJson(text, metricsSchema, what, "it is left out here") as Line];
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.problems.push(error.message);
      return [];
    }
  }

  private logNews(): Message[] {
    const { reset, lines } = this.log.poll();
    return inParts(lines, reset).map((part) => ({ kind: "log", run: this.id, ...part }));
  }

  private unlessSent(message: Message): Message[] {
    const text = JSON.stringify(message);
    if (this.sent.get(message.kind) === text) return [];
    this.sent.set(message.kind, text);
    return [message];
  }
}

function inParts<T>(lines: readonly T[], reset: boolean): { lines: T[]; reset: boolean }[] {
  if (lines.length === 0) return reset ? [{ lines: [], reset }] : [];
  const count = Math.ceil(lines.length / MOST_LINES);
  return Array.from({ length: count }, (_, i) => ({
    lines: lines.slice(i * MOST_LINES, (i + 1) * MOST_LINES),
    reset: reset && i === 0,
  }));
}

/** A run that was gone on with after its end is not finished until it is validated again. */
function stateOf(folder: RunFolder, last: number): RunState {
  if (isLocked(folder.path)) return "training";
  const record = readValidation(folder);
  return record && record.iteration >= last ? "finished" : "ended";
}

/** Of the validation patients that have one; the address changes with the picture. */
function picturesOf(folder: RunFolder, run: number): RunPicture[] {
  const isKept = readValidation(folder) !== undefined;
  return folder.split.val.flatMap((patient, i) => {
    const status = statSync(patientPicture(folder, patient), { throwIfNoEntry: false });
    if (!status?.isFile()) return [];
    const address = `runs/${run}/pictures/${i}?v=${Math.round(status.mtimeMs)}`;
    return [{ patient, address, viewer: isKept ? `runs/${run}/viewer/${i}` : undefined }];
  });
}
