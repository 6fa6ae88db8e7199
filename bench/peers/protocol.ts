/**
 * The protocol between the driver and an engine's process: a line of JSON per request on the
 * process's stdin, an answer per request on its stdout. Answers are marked, so that a library may
 * print there too. One work is prepared at a time.
 */
import type { Work } from "./works";

/** Begins every line that is an answer. */
export const MARK = "@peer ";

export interface PrepareRequest {
  readonly do: "prepare";
  readonly work: Work;
  readonly variant: string;
  /** Safetensors file to read (inputs.ts), and the one to write the results to. */
  readonly inputs: string;
  readonly outputs: string;
}

/** `run`: repeat the prepared work. `memory`: bytes of one run of it. `release`: drop it. */
export type Request =
  | { readonly do: "hello" }
  | PrepareRequest
  | { readonly do: "run"; readonly count: number }
  | { readonly do: "memory" }
  | { readonly do: "release" };

/** Memory of one run, bytes; empty where an engine cannot tell. */
export interface MemoryUse {
  /** The most that its allocator had given out at once. */
  readonly peak?: number;
  /** Where no allocator tells: what must be there at once, by what it is for. */
  readonly parts?: Readonly<Record<string, number>>;
}

export interface Hello {
  /** Engine, version and what it computes on. */
  readonly version: string;
  /** Ways to do the same work, each of which is measured. */
  readonly variants: readonly Variant[];
}

export interface Variant {
  readonly name: string;
  /** Whether anything but float32 multiplies and adds: compared with a wider tolerance. */
  readonly reduced: boolean;
  /** Works that it is measured on; without this, all. */
  readonly kinds?: readonly Work["kind"][];
}

/** Why an engine, or one work of it, cannot be had: ends up in the table. */
export interface Unavailable {
  readonly unavailable: string;
}

export interface Prepared {
  /** What was replaced by what, where the engine lacks something. */
  readonly note?: string;
}

export interface Timed {
  /** Mean time of a run, waited for at the end, milliseconds. */
  readonly ms: number;
}
