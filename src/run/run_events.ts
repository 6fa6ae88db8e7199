/** TensorBoard event files of a run, beside metrics.jsonl: its numbers under TensorBoard's tags, and its pictures. */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import type { TrainConfig } from "../settings/config";
import type { Picture } from "../tensorboard/event";
import { EventFile } from "../tensorboard/event_file";
import { finiteOnly, type Metrics } from "../train/metrics";
import type { scoreFields } from "./validate";

/** The tag of each number; TensorBoard groups them by what stands before the slash. */
const TAGS = {
  loss: "train/loss",
  learningRate: "train/learning rate",
  iterationsPerSecond: "speed/iterations per second",
  patchesPerSecond: "speed/patches per second",
  diceStudent: "validation/Dice w",
  diceMomentum: "validation/Dice w̄",
  lesionF1Student: "validation/lesion F1 w",
  lesionF1Momentum: "validation/lesion F1 w̄",
  positiveFraction: "mining/share of patches with a lesion",
  gradientLesion: "mining/gradient, lesion voxels",
  gradientOther: "mining/gradient, other voxels",
  gradientEmpty: "mining/gradient, empty patches",
  selectedAgreement: "mining/agreement of ranks, selected",
  poolAgreement: "mining/agreement of ranks, pool",
  selectionAgreement: "mining/selection that w shares",
  selectionOverlap: "mining/selection that w̄ before shares",
} as const satisfies Partial<Record<keyof Metrics, string>>;

type PerPatient = Partial<ReturnType<typeof scoreFields>>;

/** @returns undefined where the run writes none; `report` and `pictures` throw UserError on a full disk */
export function beginRunEvents(
  folder: { readonly path: string },
  { tensorboard }: TrainConfig,
  start: { readonly iteration: number },
): RunEvents | undefined {
  if (!tensorboard) return undefined;
  return new RunEvents(EventFile.begin(folder.path, start.iteration + 1));
}

export class RunEvents {
  constructor(private readonly file: EventFile) {}

  /** A line of metrics.jsonl. */
  report(metrics: Metrics & PerPatient): void {
    const { iteration, perPatient } = metrics;
    const known: Readonly<Record<string, unknown>> = finiteOnly(metrics);
    const values = new Map<string, number>();
    for (const [name, tag] of Object.entries(TAGS)) {
      const value = known[name];
      if (typeof value === "number") values.set(tag, value);
    }
    for (const [id, dice] of Object.entries(perPatient?.momentum ?? {})) {
      values.set(`patients/Dice w̄ of ${id}`, dice);
    }
    this.file.append(iteration, { kind: "scalars", values });
  }

  /** Pictures that were drawn at an iteration. */
  pictures(iteration: number, paths: readonly string[]): void {
    const drawn = paths.filter((path) => existsSync(path));
    if (drawn.length === 0) return;
    const values = new Map(drawn.map((path) => [basename(path, ".png"), pictureOf(path)]));
    this.file.append(iteration, { kind: "pictures", values });
  }
}

/** Bytes of width and height in a PNG: its first chunk has them, big-endian. */
const [WIDTH_AT, HEIGHT_AT] = [16, 20] as const;

function pictureOf(path: string): Picture {
  const png = readFileSync(path);
  return { width: png.readUInt32BE(WIDTH_AT), height: png.readUInt32BE(HEIGHT_AT), png };
}
