/** The JSON report of `bun run bench`: `--json` writes it, `--compare` reads it. */
import { z } from "zod";
import { readJsonFile } from "../../src/platform/json_file";

/** Goes up when a reader of older files would misunderstand. */
export const REPORT_VERSION = 1;

const amount = z.number().min(0);
const count = z.number().int().min(0);

/** Best rates of the control kernels beside a row, in GFLOP/s and GB/s. */
const control = z.object({ gflops: amount, gbs: amount });

/** Median milliseconds, and the difference of the quartiles as a share of it. */
const timing = { milliseconds: amount, spread: amount, control };

const ceilings = z.object({
  f32Gflops: amount,
  f16Gflops: amount.optional(),
  /** Bytes read and written per second by a shader with vec4f and with f32, and by a buffer copy. */
  copyVec4Gbs: amount,
  copyF32Gbs: amount,
  copyBufferGbs: amount,
  dispatchMicroseconds: amount,
  submitMicroseconds: amount,
});

/** One distinct dispatch of the recorded programs. */
const kernelRow = z.object({
  id: z.string(),
  op: z.string(),
  kernel: z.string(),
  variant: z.string().optional(),
  /** Consts and args. */
  sizes: z.record(z.string(), z.union([z.number(), z.boolean()])),
  /** Launches in one run of each recorded program. */
  launches: z.record(z.string(), count),
  flops: amount,
  bytes: amount,
  ...timing,
  gflops: amount,
  gbs: amount,
  /** Share of min(peak, bandwidth × intensity), both as the controls beside the row had it. */
  roofline: amount,
  /** Compiling and first run, less a usual run; null where it had been compiled before. */
  compileSeconds: amount.nullable(),
});

/** One direction of one convolution, with all that it launches. */
const layerRow = z.object({
  id: z.string(),
  preset: z.string(),
  /** `forward`, or the gradient: `dx`, `dw`. */
  direction: z.string(),
  shapes: z.string(),
  variants: z.array(z.string()),
  dispatches: count,
  /** Of the direct convolution. */
  flops: amount,
  bytes: amount,
  ...timing,
  gflops: amount,
  /** Of the FMA peak beside the row; fewer operations than the direct method's can pass it. */
  peakShare: amount,
  roofline: amount,
  compileSeconds: amount,
});

const kernelShare = z.object({
  label: z.string(),
  count,
  milliseconds: amount,
  flops: amount,
  bytes: amount,
});

/** A forward pass, training step, iteration or prediction. */
const stepRow = z.object({
  id: z.string(),
  preset: z.string(),
  /** Patches that went through the network, forward or both ways. */
  patches: count,
  ...timing,
  /** Processor time of the host thread until everything was submitted, without its waiting. */
  hostMilliseconds: amount,
  dispatches: count,
  flops: amount,
  /** Sum over the dispatches of what they must read and write. */
  bytes: amount,
  /** Planned temporaries, and all buffers while it ran. */
  plannedBytes: amount,
  allocatedBytes: amount,
  /** By label, slowest first, each dispatch timed in the middle of a run or by itself. */
  kernels: z.array(kernelShare),
  timedBy: z.enum(["timestamps", "repetition"]),
});

const latencyRow = z.object({
  id: z.string(),
  cache: z.enum(["cold", "warm"]),
  openSeconds: amount,
  /** Recording, planning and compiling, as far as the driver does that before the first run. */
  createSeconds: amount,
  firstStepSeconds: amount,
  steadyStepSeconds: amount,
});

const scalingPoint = z.object({
  label: z.string(),
  value: amount,
  flops: amount,
  seconds: amount,
  bytes: amount,
});
const scalingSeries = z.object({
  id: z.string(),
  variable: z.string(),
  what: z.string(),
  points: z.array(scalingPoint).min(2),
  /** Slopes of straight lines through logarithms: seconds and bytes against the variable's value. */
  timeSlope: z.number(),
  memorySlope: z.number(),
  /** Seconds against floating-point operations: 1 is linear. */
  workSlope: z.number(),
});

export const reportSchema = z.object({
  version: z.literal(REPORT_VERSION),
  date: z.string(),
  adapter: z.object({
    name: z.string(),
    driver: z.string(),
    kind: z.string(),
    backend: z.string(),
  }),
  versions: z.record(z.string(), z.string()),
  cpu: z.object({ model: z.string(), cores: count }),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  ceilings,
  kernels: z.array(kernelRow),
  /** Registered ops that no recorded program uses. */
  unusedOps: z.array(z.string()),
  /** Dispatches of every op by itself. */
  ops: z.array(kernelRow).default([]),
  layers: z.array(layerRow),
  steps: z.array(stepRow),
  latency: z.array(latencyRow),
  scaling: z.array(scalingSeries),
});

export type Report = z.infer<typeof reportSchema>;
export type Ceilings = z.infer<typeof ceilings>;
export type Control = z.infer<typeof control>;
export type KernelRow = z.infer<typeof kernelRow>;
export type LayerRow = z.infer<typeof layerRow>;
export type KernelShare = z.infer<typeof kernelShare>;
export type StepRow = z.infer<typeof stepRow>;
export type LatencyRow = z.infer<typeof latencyRow>;
export type ScalingSeries = z.infer<typeof scalingSeries>;
export type ScalingPoint = z.infer<typeof scalingPoint>;

/** @throws UserError when `file` is not a report of this version */
export const readReport = (file: string): Report =>
  readJsonFile(file, reportSchema, "name a file of `bun run bench --json`, or measure again");
