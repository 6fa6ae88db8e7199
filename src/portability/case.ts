/**
 * A case of the suite: one kernel, or a network of them, on one problem, with the right results. Cases
 * know nothing of hosts; a worker runs them (worker.ts) on its own host.
 */
import type { Graph } from "../core/graph";
import type { Capabilities } from "../core/kernel";
import type { OpGraph, Rig } from "./op_run";
import type { Dissection } from "./packed";

/** The outcome of a case on an adapter. */
export interface Outcome {
  /** The largest error, in units of its bound; more than 1 is a failure. */
  readonly worst: number;
  /** One line for each thing that is wrong. */
  readonly faults: readonly string[];
  /** Not run after all, and why. */
  readonly skipped?: string;
  /** A fact about the adapter, where the case asks for one. */
  readonly note?: string;
}

/**
 * Another way to run a case of a row: with the sizes of work that a GPU is given, with every grid in two
 * rows of workgroups, with workgroups and invocations in another order (and a GPU's sizes), or with so
 * many workgroups that one row cannot hold them.
 */
export type Way = "as_on_gpu" | "two_rows" | "shuffled" | "many_groups";

export interface PortabilityCase {
  /** Its line in the report: `conv3d_dw/subgroup`, say. */
  readonly row: string;
  /** What it is within the row: `c3x5_3x5x7`, say. */
  readonly name: string;
  /** All random numbers follow from it and the name. */
  readonly seed: number;
  /** Part of the short form. */
  short: boolean;
  /** In the short form whichever others of its row are. */
  readonly always?: boolean;
  /** The problem, where other rows and ways have it too, with the same expectations and kernels. */
  readonly problem?: string;
  /** Absent: as the adapter itself would run it. */
  readonly way?: Way;
  /** Seconds more than usual that it may take. */
  readonly patience?: number;
  /** What it records, without values; undefined where the row's kernel cannot do the problem. */
  readonly outline?: (caps: Capabilities) => Graph | undefined;
  /** The case as a graph with its inputs and expectations, where it is one. */
  readonly record?: (rig: Rig) => OpGraph;
  /** Takes it apart for a reproduction, where it is no OpGraph but made of dispatches all the same. */
  readonly dissect?: (rig: Rig) => Promise<Dissection>;
  /** @throws Error where the adapter refuses something */
  readonly run: (rig: Rig) => Promise<Outcome>;
}

/** A row that an adapter cannot run, and why. */
export interface SkippedRow {
  readonly row: string;
  readonly reason: string;
}

export interface CaseList {
  readonly cases: readonly PortabilityCase[];
  readonly skipped: readonly SkippedRow[];
}

/** `conv3d_dw/subgroup/7x33x5@20`: row, case and seed. */
export const idOf = ({ row, name, seed }: Pick<PortabilityCase, "row" | "name" | "seed">): string =>
  `${row}/${name}@${seed}`;

/** The seed that an id ends with, if it does. */
export function seedOf(id: string): number | undefined {
  const match = /@(\d+)$/.exec(id);
  return match ? Number(match[1]) : undefined;
}

/** An escaped character of a regular expression, `*` any text and `?` any character. */
const ofGlob = (text: string) =>
  text
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");

/** Whether `pattern`, an id with or without its seed, perhaps with `*` and `?`, means the id. */
export function matchesId(pattern: string, id: string): boolean {
  const whole = new RegExp(`^${ofGlob(pattern)}(@\\d+)?$`);
  const row = new RegExp(`^${ofGlob(pattern)}/[^/]*$`);
  return whole.test(id) || row.test(id);
}
