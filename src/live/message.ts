/** The messages that the server sends to the page about each run. */
import type { Metrics } from "../train/metrics";

/** A report or a validation, as metrics.jsonl has it. */
export type Line = Metrics & {
  readonly perPatient?: ByWeights;
  readonly lesionF1PerPatient?: ByWeights;
};

interface ByWeights {
  readonly student: Readonly<Record<string, number>>;
  readonly momentum: Readonly<Record<string, number>>;
}

export interface RunInfo {
  readonly name: string;
  /** Options with their values, as text. */
  readonly settings: readonly (readonly [option: string, value: string])[];
  /** One of the two. */
  readonly iterations?: number;
  readonly seconds?: number;
  readonly trains: number;
  /** Ids of the validation patients. */
  readonly validates: readonly string[];
}

/** "ended": before its budget, and nobody trains in it. */
export type RunState = "training" | "finished" | "ended";

export interface RunPicture {
  readonly patient: string;
  /** Below the page's address. */
  readonly address: string;
  /** The same of the patient in the viewer: once the run is finished, its mask is kept. */
  readonly viewer?: string;
}

export type Message =
  /** The first one: all that the page knows is void. */
  | { readonly kind: "hello"; readonly runs: readonly string[] }
  | { readonly kind: "info"; readonly run: number; readonly info: RunInfo }
  | { readonly kind: "state"; readonly run: number; readonly state: RunState }
  | { readonly kind: "pictures"; readonly run: number; readonly pictures: readonly RunPicture[] }
  /** Reset: the lines before these are void. */
  | {
      readonly kind: "lines";
      readonly run: number;
      readonly reset: boolean;
      readonly lines: readonly Line[];
    }
  | {
      readonly kind: "log";
      readonly run: number;
      readonly reset: boolean;
      readonly lines: readonly string[];
    }
  /** A file of the run cannot be read; the empty text: all can again. */
  | { readonly kind: "problem"; readonly run: number; readonly text: string };
