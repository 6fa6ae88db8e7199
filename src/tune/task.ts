/** A task of the tuner: a choice to make, its place in the cache, its result. */
import type { Graph } from "../core/graph";
import type { Problem } from "../core/variant";
import { adapterText } from "../gpu/adapter";
import type { Device } from "../gpu/device";
import type { Memory } from "../gpu/memory";
import { specialise } from "../gpu/shader";
import type { Stopwatch } from "../gpu/stopwatch";
import { type Candidate, fastest, type Timing } from "./timing";

/** Raised when what is measured, or how, changes. */
const VERSION = 3;

/** What a choice between candidates came to: one file of the cache. */
export interface Entry {
  readonly version: number;
  readonly adapter: string;
  readonly label: string;
  readonly chosen: string;
  readonly timings: readonly Timing[];
}

/** Where entries are kept between runs; `read` gives undefined for what is not there. */
export interface TuneStore {
  read(key: string): Promise<unknown>;
  write(key: string, value: object): Promise<void>;
  /** Takes a line for the user about what cannot be used. */
  readonly warn: (line: string) => void;
}

export interface Task {
  /** What `Choices` are asked for: the name given to `Graph.pick`, say. */
  readonly op: string;
  /** The problems that it settles: one, or several that differ in the batch. */
  readonly problems: Problem[];
  /** Name of the size that the batch is. */
  readonly batch?: string;
  /** The op and the sizes that are timed. */
  readonly label: string;
  /** In order of preference: the first is the default. */
  readonly candidates: readonly string[];
  /** Name in the cache: of the adapter, its driver, the shaders, the problem and the candidates. */
  readonly key: string;
  /** How much of a run depends on it, in any unit: the heaviest are tuned first. */
  weight: number;
  /** What is known. */
  entry?: Entry;
  /** Makes everything that the candidates share. */
  open(memory: Memory, stopwatch: Stopwatch): OpenTask;
}

/** A task whose candidates can be started. */
export interface OpenTask {
  readonly candidates: readonly Candidate[];
  release(): void;
}

/** A key of 32 hexadecimal digits for anything that JSON can hold. */
export async function keyOf(device: Device, ...parts: readonly unknown[]): Promise<string> {
  const { features, subgroupSize } = device;
  const from = [VERSION, adapterText(device.info), [...features].sort(), subgroupSize, ...parts];
  const bytes = new TextEncoder().encode(JSON.stringify(from));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Everything that decides what a recorded graph computes and how. */
export function sourcesOf({ dispatches }: Graph): unknown {
  return dispatches.map(({ kernel, consts, args, sizes }) => [
    specialise(kernel, consts),
    args,
    kernel.grid(sizes),
  ]);
}

/** The entry of finished timings; undefined when every candidate was refused. */
export function entryOf(device: Device, task: Task, timings: readonly Timing[]): Entry | undefined {
  const chosen = fastest(timings);
  if (chosen === undefined) return undefined;
  return {
    version: VERSION,
    adapter: adapterText(device.info),
    label: task.label,
    chosen,
    timings,
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

function isTiming(value: unknown): value is Timing {
  if (!isObject(value) || typeof value.name !== "string") return false;
  if (typeof value.refused === "string") return true;
  return [value.milliseconds, value.least].every((ms) => typeof ms === "number" && ms >= 0);
}

/** What a store gave, if it is an entry for these candidates. */
export function parseEntry(value: unknown, { candidates }: Task): Entry | undefined {
  if (!isObject(value) || value.version !== VERSION || !Array.isArray(value.timings))
    return undefined;
  const { chosen, timings } = value;
  if (!candidates.some((name) => name === chosen) || !timings.every(isTiming)) return undefined;
  const names = timings.map(({ name }: Timing) => name);
  return names.join() === candidates.join() ? (value as unknown as Entry) : undefined;
}
