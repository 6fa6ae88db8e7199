/**
 * Convolution kernels against the adapter's ceilings:
 * `bun bench/conv.ts [--adapter NAME] [--variant plain] [--patches 4] [--shapes small] [--json FILE]`
 * Each repetition runs the FMA peak next to the kernel. Times and GFLOP/s are by the clock; on a
 * software adapter shares of the peak are by processor time, which other load changes little.
 */
import { Command } from "commander";
import { conv3d } from "../kernels/conv3d";
import { convVariants, type Geometry, geometryOf } from "../kernels/conv3d_forward";
import { weightGradientVariants } from "../kernels/conv3d_weights";
import { preferred } from "../kernels/defaults";
import { UserError } from "../src/core/errors";
import { Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import type { Tensor } from "../src/core/tensor";
import { elements, state } from "../src/core/tensor";
import type { Variant } from "../src/core/variant";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { openDevice } from "../src/hosts/bun";
import { recordCopy, recordFmaPeak } from "./peak";

/** [input channels, output channels, edge of the patch, edge of the kernel] */
type Layer = readonly [cin: number, cout: number, edge: number, k: number];

const LAYERS: Readonly<Record<string, readonly Layer[]>> = {
  paper: [
    [16, 16, 32, 3],
    [48, 16, 32, 3],
    [32, 32, 16, 3],
    [96, 32, 16, 3],
    [64, 64, 8, 3],
  ],
  small: [
    [8, 8, 32, 3],
    [24, 8, 32, 3],
    [16, 16, 16, 3],
    [48, 16, 16, 3],
    [32, 32, 8, 3],
  ],
  ends: [
    [2, 16, 32, 3],
    [16, 1, 32, 1],
    [2, 8, 32, 3],
    [8, 1, 32, 1],
  ],
};
const SHAPE_SETS = Object.keys(LAYERS).join(", ");
const DIRECTIONS = ["forward", "dx", "dw"] as const;

interface Row {
  readonly layer: string;
  readonly direction: string;
  readonly firstRunSeconds: number;
  readonly milliseconds: number;
  /** Quartiles of the times, as a fraction of the median. */
  readonly spread: number;
  readonly gflops: number;
  readonly shareOfPeak: number;
}

const options = new Command()
  .option("--adapter <name>", "adapter", "")
  .option("--variant <name>", "conv3d variant; default: the one that would run")
  .option("--patches <n>", "batch size", "4")
  .option("--shapes <set>", `one of ${SHAPE_SETS}`, "paper")
  .option("--repetitions <n>", "timed repetitions", "7")
  .option("--json <file>", "also write the table as JSON")
  .parse()
  .opts<Record<string, string>>();

const layers = LAYERS[options.shapes!];
if (!layers) throw new UserError(`--shapes ${options.shapes}: there are ${SHAPE_SETS}`);
const device = await openDevice({ adapter: options.adapter });
const memory = new Memory(device);
const caps = capabilities(device);
console.log(device.describe());

const newGraph = () =>
  new Graph(
    caps,
    options.variant ? { variants: { conv3d: options.variant, conv3d_dw: options.variant } } : {},
  );

/** Milliseconds of one run, waited for, and what it cost: see the head of this file. */
async function time(program: Program): Promise<{ ms: number; cost: number }> {
  const start = performance.now();
  const before = process.cpuUsage();
  program.run();
  await device.idle();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { ms, cost: device.info.type === "software" ? (user + system) / 1000 : ms };
}

async function compile(name: string, record: (g: Graph) => number) {
  const g = newGraph();
  const work = record(g);
  const program = await Program.compile(memory, g, name);
  const firstRunSeconds = (await time(program)).ms / 1000;
  return { program, work, firstRunSeconds };
}

function filled(name: string, shape: readonly number[]): Tensor {
  const t = state(name, shape);
  const rng = new Philox(1, elements(shape));
  memory.write(
    t,
    Float32Array.from({ length: elements(shape) }, () => rng.uniform() - 0.5),
  );
  return t;
}

function record(g: Graph, [cin, cout, edge, k]: Layer, direction: string): number {
  const n = Number(options.patches);
  const x = filled("x", [n, cin, edge, edge, edge]);
  const y = filled("y", [n, cout, edge, edge, edge]);
  const w = filled("w", [cout, cin, k, k, k]);
  const b = filled("b", [cout]);
  const geometry = direction === "dx" ? geometryOf(y, x, w) : geometryOf(x, y, w);
  const pick = <V extends Variant<Geometry>>(op: string, variants: readonly V[]) =>
    g.pick(op, preferred(op, variants, caps, geometry), geometry);
  const forward = pick("conv3d", convVariants);
  const weights = pick("conv3d_dw", weightGradientVariants);
  if (direction === "forward") forward.emit(g, { x, w, b, y }, geometry);
  else if (direction === "dx") forward.emit(g, { x: y, w, y: x }, geometry);
  else weights.emit(g, { x, dy: y, dw: w }, geometry, false);
  for (const t of g.dispatches.flatMap((d) => d.tensors)) used.add(t);
  return 2 * n * cin * cout * edge ** 3 * k ** 3;
}

const used = new Set<Tensor>();
const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.round(q * (sorted.length - 1))]!;

const peak = await compile("peak", recordFmaPeak);
const copy = await compile("copy", recordCopy);
let bestPeak = 0;

async function measure(layer: Layer, direction: string): Promise<Row> {
  const kernel = await compile(conv3d.name, (g) => record(g, layer, direction));
  const times: number[] = [];
  const shares: number[] = [];
  for (let i = 0; i < Number(options.repetitions); i++) {
    const ceiling = await time(peak.program);
    const run = await time(kernel.program);
    times.push(run.ms);
    shares.push(kernel.work / run.cost / (peak.work / ceiling.cost));
    bestPeak = Math.max(bestPeak, peak.work / ceiling.ms / 1e6);
  }
  times.sort((a, b) => a - b);
  shares.sort((a, b) => a - b);
  const milliseconds = quantile(times, 0.5);
  kernel.program.destroy();
  for (const t of used) memory.release(t);
  used.clear();
  const [cin, cout, edge, k] = layer;
  return {
    layer: `${cin}→${cout} ${k}³ @${edge}³`,
    direction,
    firstRunSeconds: Math.max(0, kernel.firstRunSeconds - milliseconds / 1000),
    milliseconds,
    spread: (quantile(times, 0.75) - quantile(times, 0.25)) / milliseconds,
    gflops: kernel.work / milliseconds / 1e6,
    shareOfPeak: quantile(shares, 0.5),
  };
}

const rows: Row[] = [];
for (const layer of layers) {
  for (const direction of DIRECTIONS) {
    const row = await measure(layer, direction);
    rows.push(row);
    console.log(
      `${row.layer.padEnd(16)} ${row.direction.padEnd(8)}` +
        `${row.milliseconds.toFixed(1).padStart(8)} ms ±${(50 * row.spread).toFixed(0)} %` +
        `${row.gflops.toFixed(1).padStart(9)} GFLOP/s  ${row.shareOfPeak.toFixed(2)} of peak` +
        `   first run +${row.firstRunSeconds.toFixed(1)} s`,
    );
  }
}
const copyTimes: number[] = [];
for (let i = 0; i < 5; i++) copyTimes.push((await time(copy.program)).ms);
const copyGBs = copy.work / Math.min(...copyTimes) / 1e6;
console.log(`FMA peak ${bestPeak.toFixed(0)} GFLOP/s, copy ${copyGBs.toFixed(1)} GB/s`);
if (options.json) {
  const report = { adapter: device.info.name, peakGflops: bestPeak, copyGBs, rows };
  await Bun.write(options.json, `${JSON.stringify(report, null, 1)}\n`);
}
device.destroy();
