/**
 * The folder of a predicted cohort. Beside the results `.cohort/` holds what processes tell each other: the
 * settings that all results share, and for each pair its claim and why it failed. A record that is there
 * says that a pair is done, because it is written last.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { writeAtomically, writeNewFile } from "../platform/atomic_file";
import { readJsonFile } from "../platform/json_file";
import { removeQuietly } from "../platform/leftovers";
import { RESULT_FILES, type ResultRecord, recordSchema } from "../result/record";
import { claimFolder } from "../run/run_lock";
import type { CohortPair } from "./pairs";

const WORK = ".cohort";
const settingsSchema = z.record(z.string(), z.unknown());
const failureSchema = z.strictObject({
  problem: z.string(),
  /** ISO 8601, UTC. */
  time: z.string(),
});

/** What all results of a folder share, by name. */
export type CohortSettings = Readonly<Record<string, unknown>>;

/** How far a pair is. */
export type PairState =
  | { readonly status: "done"; readonly record: ResultRecord }
  | { readonly status: "failed"; readonly problem: string; readonly time: string }
  | { readonly status: "open" };

export class CohortFolder {
  /** @param recordOf path of a pair's record: the folder of its result by default */
  constructor(
    readonly path: string,
    readonly recordOf = (id: string) => join(path, id, RESULT_FILES.record),
  ) {}

  /** A file about a pair, beside the results. */
  private about(id: string, what: string): string {
    return join(this.path, WORK, `${fileName(id)}.${what}`);
  }

  /**
   * Makes the folder, or joins the processes that made it.
   * @throws UserError where it holds results of other settings, or of no cohort
   */
  open(settings: CohortSettings, pairs: readonly CohortPair[]): void {
    const path = join(this.path, WORK, "settings.json");
    if (!existsSync(path)) this.refuseStrangers(pairs);
    mkdirSync(join(this.path, WORK), { recursive: true });
    const text = `${JSON.stringify(settings, null, 2)}\n`;
    if (writeNewFile(path, text)) return;
    const there = readJsonFile(path, settingsSchema, "name another --out");
    const names = [...new Set([...Object.keys(there), ...Object.keys(settings)])];
    const plain = JSON.parse(text) as CohortSettings;
    const other = names.find((key) => JSON.stringify(there[key]) !== JSON.stringify(plain[key]));
    if (other === undefined) return;
    throw new UserError(
      `${this.path}: its results were made with another ${other} (${shown(there[other])}, now ` +
        `${shown(plain[other])}); give the same options to go on with it, or name another folder`,
    );
  }

  private refuseStrangers(pairs: readonly CohortPair[]): void {
    const stranger = pairs.map(({ id }) => this.recordOf(id)).find((path) => existsSync(path));
    if (stranger === undefined) return;
    throw new UserError(
      `${stranger}: a result that no cohort made; name another folder, or move it away`,
    );
  }

  stateOf(id: string): PairState {
    const path = this.recordOf(id);
    if (existsSync(path)) {
      const record = readJsonFile(path, recordSchema, "remove it to have the pair predicted again");
      return { status: "done", record };
    }
    const failure = this.failureOf(id);
    return failure === undefined
      ? { status: "open" }
      : { status: "failed", ...readJsonFile(failure, failureSchema, "remove it") };
  }

  isDone(id: string): boolean {
    return existsSync(this.recordOf(id));
  }

  /** Text of what was said when the pair failed, to tell one failure from the next. */
  failureText(id: string): string | undefined {
    const path = this.failureOf(id);
    return path === undefined ? undefined : readFileSync(path, "utf8");
  }

  private failureOf(id: string): string | undefined {
    const path = this.about(id, "failure.json");
    return existsSync(path) ? path : undefined;
  }

  /** Undefined where another process has the pair. */
  claim(id: string): (() => void) | undefined {
    return claimFolder(join(this.path, WORK), `${fileName(id)}.claim`);
  }

  fail(id: string, problem: string): void {
    const failure = { problem, time: new Date().toISOString() };
    writeAtomically(this.about(id, "failure.json"), `${JSON.stringify(failure, null, 2)}\n`);
  }

  /** Of a pair that is done now. */
  forgetFailure(id: string): void {
    const path = this.failureOf(id);
    if (path !== undefined) removeQuietly(path);
  }
}

/** A pair's name leaves no room for an ending where it is nearly as long as a name may be. */
function fileName(id: string): string {
  if (Buffer.byteLength(id) <= 200) return id;
  return `${id.slice(0, 40)}~${createHash("sha256").update(id).digest("hex").slice(0, 16)}`;
}

const shown = (value: unknown): string => (value === undefined ? "none" : JSON.stringify(value));
