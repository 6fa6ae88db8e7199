/** Calibration of a network on left-out patients: fitted, stored in the metadata of weights, and read. */
import { z } from "zod";
import { parseJson } from "../core/json";
import type { CalibrationSample } from "./calibration_sample";
import { tuneDecision } from "./choose_thresholds";
import { DEFAULT_RULE } from "./found_lesions";
import { chooseCalibration, type HeldOut, type MapCalibration } from "./map_calibration";
import { type OperatingPoints, operatingPoints } from "./operating_points";

export interface Calibration {
  /** That it was fitted on. */
  readonly patients: number;
  /** Of the voxels; absent where none is better than the network's own. */
  readonly map?: MapCalibration;
  /** Brier score and calibration error on patients that did not fit; absent for one patient. */
  readonly heldOut?: HeldOut;
  /** Absent where no patient has a reference lesion. */
  readonly points?: OperatingPoints;
}

/** @param unchanged pairs without change, which only take part in the choice of the operating points */
export function fitCalibration(
  samples: readonly CalibrationSample[],
  unchanged: readonly CalibrationSample[] = [],
): Calibration {
  const chosen = chooseCalibration(samples.map(({ tally }) => tally));
  const tuned = tuneDecision(samples.map(({ sweep }) => sweep)).lesions ?? DEFAULT_RULE;
  const hasLesions = samples.some(({ reference }) => reference > 0);
  const points = hasLesions ? operatingPoints(samples, tuned, unchanged) : undefined;
  return { patients: samples.length, ...chosen, points };
}

const share = z.number().min(0).max(1);
const count = z.number().int().min(0);
const finite = z.number().min(-1e6).max(1e6);

const increasing = (points: readonly (readonly [number, number])[]) =>
  points.every(([x, y], i) => i === 0 || (x > points[i - 1]![0] && y >= points[i - 1]![1]));
const mapSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("temperature"), temperature: z.number().min(0.01).max(100) }),
  z.strictObject({
    kind: z.literal("isotonic"),
    points: z
      .array(z.tuple([z.number().gt(0).lt(1), share]))
      .min(1)
      .max(100)
      .refine(increasing, "expected increasing points"),
  }),
]);

const scored = z.strictObject({ brier: share.nullable(), ece: share.nullable() });
const lesionSchema = z.strictObject({
  ...{ intercept: finite, mean: finite, max: finite, volume: finite },
  ...{ lesions: count, trueLesions: count },
});
const pointSchema = z.strictObject({
  threshold: share,
  minLesionVolume: z.number().min(0).max(1e6),
  found: z.strictObject({ right: count, of: count }),
  falseLesions: count,
  lesion: lesionSchema.optional(),
});

const calibrationSchema = z.strictObject({
  patients: count,
  map: mapSchema.optional(),
  heldOut: z.strictObject({ none: scored, temperature: scored, isotonic: scored }).optional(),
  points: z
    .strictObject({ default: pointSchema, sensitive: pointSchema, "few-false-alarms": pointSchema })
    .optional(),
}) satisfies z.ZodType<Calibration>;

/** The entry of the metadata. */
const ENTRY = "calibration";

export const calibrationMetadata = (calibration: Calibration): Record<string, string> => ({
  [ENTRY]: JSON.stringify(calibration),
});

/** Undefined where a file holds none; `file` is only named in messages. @throws UserError when damaged */
export function storedCalibration(
  metadata: Readonly<Record<string, string>>,
  file: string,
): Calibration | undefined {
  const text = metadata[ENTRY];
  if (text === undefined) return undefined;
  const remedy = "the file is damaged, or another program wrote it: use another weights file";
  return parseJson(text, calibrationSchema, `${file}: its ${ENTRY}`, remedy);
}

/** The one that all files hold alike: of a mean of networks no other is known. */
export function sharedCalibration(
  files: readonly { readonly calibration?: Calibration }[],
): Calibration | undefined {
  const [first, ...others] = files.map(({ calibration }) => calibration);
  const isShared = others.every((other) => JSON.stringify(other) === JSON.stringify(first));
  return isShared ? first : undefined;
}
