/** Messages between the page and the worker that computes: all that either may say to the other. */
import type { Mask } from "../../data/volume";
import type { Origin } from "../../dicom/doubts";
import type { Result } from "../../result/parts";
import type { ReadImage } from "../../run/placed_pair";
import type { Budget } from "../../run/training_rates";
import type { Metrics } from "../../train/metrics";

/** A weights file as the page has fetched it, and what the index of the site says of it. */
export interface WeightsFile {
  /** With its ending. */
  readonly name: string;
  /** Of the bytes, in hex. */
  readonly sha256: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** `weights.json` of the site, as src/web/build.ts writes it. */
export interface SiteWeights {
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

/** A scan as it was read; its origin is known of DICOM only. */
export interface PageScan extends ReadImage, Origin {}

/** Both visits as they were read. */
export type Scans = readonly [PageScan, PageScan];

/** Scans, and their number. */
export interface PairScans {
  readonly scans: Scans;
  /** A number for these scans: what was found about them is not looked for again. */
  readonly pair: number;
}

export interface PredictRequest extends PairScans {
  readonly patient: string;
  /** Absent: those in use. */
  readonly weights?: readonly WeightsFile[];
}

export interface LearnRequest extends PairScans {
  readonly start: WeightsFile;
  /** The corrected mask, on the grid of visit 1. */
  readonly truth: Mask;
  readonly budget: Budget;
  /** Patches of an iteration; absent: the preset's. */
  readonly batch?: number;
}

/** What a training gives. */
export interface Learned {
  readonly weights: WeightsFile;
  /** Iterations finished, and seconds of training without the first one, which compiles. */
  readonly iterations: number;
  readonly seconds: number;
}

/** To the worker. It answers them one after the other. */
export type Request =
  /** First of all: opens the device, and compiles the network's kernels ahead of any pair. */
  | { readonly do: "open"; readonly weights: readonly WeightsFile[] }
  | ({ readonly do: "predict" } & PredictRequest)
  /** Trains weights further on a corrected pair. */
  | ({ readonly do: "learn" } & LearnRequest)
  /** At once: ends the training that runs, with its weights so far. */
  | { readonly do: "stop" };

/** From the worker. */
export type Reply =
  /** The device is open; `adapter` is the line about it. Kernels are compiled from now on. */
  | { readonly told: "opened"; readonly adapter: string }
  /** The network's kernels are compiled. */
  | { readonly told: "compiled" }
  /** There is no WebGPU here: nothing can be predicted. */
  | { readonly told: "unavailable"; readonly why: string }
  /** A line for people. */
  | { readonly told: "note"; readonly line: string }
  /** A stage of the prediction has ended (src/run/observer.ts). */
  | { readonly told: "stage"; readonly ended: string }
  | { readonly told: "windows"; readonly done: number; readonly total: number }
  | { readonly told: "answered"; readonly result: Result }
  /** A report of a training, with the measured rates and the time left. */
  | { readonly told: "metrics"; readonly metrics: Metrics }
  | ({ readonly told: "learned" } & Learned)
  /** Of the last request. */
  | { readonly told: "failed"; readonly message: string };
