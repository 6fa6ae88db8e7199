import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import { type FromFile, readMask } from "../data/nifti_read";
import { checkNiftiPath, writeMask, writeVolume } from "../data/nifti_write";
import { loadPair, maskOnGrid } from "../data/patient";
import { DevicePair, type Normalisation } from "../data/preprocess";
import type { Mask, Volume } from "../data/volume";
import type { PageRange } from "../data/volume_store";
import { checkPrecision } from "../gpu/capabilities";
import { Memory } from "../gpu/memory";
import { openDevice } from "../hosts/bun";
import type { Mirror } from "../infer/mirror";
import { loadWeights, unetNetwork } from "../infer/model";
import { predictProbability, THRESHOLD, thresholded } from "../infer/predict";
import { WINDOW_WEIGHTS, type WindowWeights } from "../infer/windows";
import { unetParameters } from "../nn/parameters";
import { flatParameters } from "../nn/weights";
import { INTERRUPTED, watchInterrupt } from "../train/interrupt";
import { predictProgress } from "../train/progress";
import { ADAPTER_OPTION, makeCommand, say } from "./command";
import { runMain } from "./main";
import {
  countOption,
  mirrorOption,
  numberOption,
  type TuneFlags,
  withTuneOptions,
} from "./options";
import { Stages } from "./stages";
import { tuneDevice } from "./tuning";

interface Options extends TuneFlags {
  readonly t1: string;
  readonly t2: string;
  readonly output: string;
  readonly weights?: string;
  readonly probability?: string;
  readonly mask?: string;
  readonly threshold: number;
  readonly windowWeights?: WindowWeights;
  readonly mirror?: Mirror;
  readonly precision: Precision;
  readonly batch?: number;
  readonly adapter?: string;
}

const program = makeCommand("predict", "Segments the lesions that are new at the second visit.")
  .requiredOption("--t1 <file>", "FLAIR of the first visit (also: -t1 FILE)")
  .requiredOption("--t2 <file>", "FLAIR of the second visit (also: -t2 FILE)")
  .requiredOption("-o, --output <file>", "mask to write, on the grid of the first visit")
  .option("-w, --weights <file>", "weights file (default: the best of the newest run in runs/)")
  .option("--probability <file>", "also write the probability map")
  .option("--mask <file>", "brain mask, for weights trained with --normalisation mask")
  .option("--threshold <p>", "probability from which a voxel is lesion", numberOption, THRESHOLD)
  .addOption(
    new Option(
      "--window-weights <how>",
      "average overlapping windows alike, or by their centres (default: as the weights file says)",
    ).choices(WINDOW_WEIGHTS),
  )
  .option(
    "--mirror <axes>",
    "average over mirrored windows: axes such as xyz (8 runs), or none (default: as the file says)",
    mirrorOption,
  )
  .addOption(
    new Option("--precision <p>", "how activations are stored: f16 takes half the memory")
      .choices(["f32", "f16"])
      .default("f32"),
  )
  .option("--batch <n>", "most windows per run of the network (default: as tuned)", countOption)
  .option(...ADAPTER_OPTION);
withTuneOptions(program);
// The challenge's form has one dash before two letters, which no option parser knows.
program.parse(process.argv.map((arg) => arg.replace(/^-(t[12])$/, "--$1")));
await runMain(() => predict(program.opts<Options>()));

async function predict(options: Options): Promise<void> {
  const stages = new Stages();
  const weights = options.weights ?? newestWeights();
  const { info: stored, flat } = loadWeights(weights);
  const info = {
    ...stored,
    windowWeights: options.windowWeights ?? stored.windowWeights,
    mirror: options.mirror ?? stored.mirror,
  };
  for (const path of [options.output, options.probability]) if (path) checkNiftiPath(path);
  for (const path of [options.t1, options.t2]) {
    if (!existsSync(path)) throw new UserError(`${path}: no such file; give a NIfTI image`);
  }
  stages.ended("start");
  const pair = await loadPair(options.t1, options.t2);
  for (const note of pair.notes) say(note);
  const brainMask = await brainMaskOf(options, info.normalisation, pair.time1);
  stages.ended("reading images");
  const device = await openDevice({ adapter: options.adapter });
  checkPrecision(device, options.precision);
  say(device.describe(options.precision));
  say(`weights ${weights}`);
  const memory = new Memory(device);
  const params = flatParameters("weights", unetParameters(info.unet));
  memory.write(params.flat, flat);
  stages.ended("opening the adapter");
  const { batch, precision } = options;
  const needs = { picks: [], models: [info], batch, precision };
  if ((await tuneDevice(device, needs, options)).interrupted) return;
  stages.ended("tuning");
  const names = [options.t1, options.t2] as const;
  const prepared = await DevicePair.create(memory, { ...pair, brainMask }, names, info);
  stages.ended("mean and deviation");
  const { grid } = prepared;
  const fill = (ranges: readonly PageRange[]) => prepared.fill(ranges);
  const source = { id: options.t1, size: grid.size, lesions: [], fill };
  const interrupt = watchInterrupt(() => say("interrupted: nothing is written"));
  let bar: ReturnType<typeof predictProgress> | undefined;
  const hooks = {
    batch,
    precision,
    signal: interrupt.signal,
    onProgress: (done: number, total: number) => {
      bar ??= predictProgress(total);
      bar.update(done);
    },
    onStage: (stage: string) => stages.ended(stage),
  };
  try {
    const network = unetNetwork(params.named, info.unet);
    const native = pair.time1;
    const members = [{ network, model: info }];
    const made = await predictProbability(memory, members, source, grid, native, hooks);
    bar?.stop();
    const mask = thresholded(made, options.threshold);
    await Promise.all([
      writeMask(options.output, mask),
      options.probability && writeVolume(options.probability, made),
    ]);
    stages.ended("writing");
    const voxels = mask.data.reduce((sum, value) => sum + value, 0);
    say(stages.table());
    say(`${options.output}: ${voxels} lesion voxels`);
  } catch (error) {
    bar?.stop();
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = INTERRUPTED;
  } finally {
    interrupt.dispose();
  }
}

/** The brain mask on the grid of the first visit, where the weights need one. */
async function brainMaskOf(
  { t1, mask }: Options,
  normalisation: Normalisation,
  image: Volume & FromFile,
): Promise<Mask | undefined> {
  if (normalisation !== "mask") return undefined;
  if (mask === undefined) {
    throw new UserError("these weights were trained with --normalisation mask: give --mask FILE");
  }
  const notes: string[] = [];
  const onGrid = maskOnGrid(mask, await readMask(mask), t1, image, notes);
  for (const note of notes) say(note);
  return onGrid;
}

/** The `best` weights, else the `last`, of the run folder that was written to last. */
function newestWeights(): string {
  const names = existsSync("runs") ? readdirSync("runs") : [];
  const found = names
    .flatMap((name) => {
      const kinds = ["best", "last"].map((kind) => join("runs", name, `${kind}.safetensors`));
      return kinds.filter((path) => existsSync(path)).slice(0, 1);
    })
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (found[0]) return found[0];
  throw new UserError(
    "no --weights given and no run in runs/ that has any; train first (bun run train), or name a " +
      "weights file",
  );
}
