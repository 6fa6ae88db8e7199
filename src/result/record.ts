/** The record of a result: what `predict --out-dir` found, for the viewer, the report and programs. */
import { z } from "zod";
import { RESULT_FILES } from "../data/result_names";

/** It rises when a name or a meaning changes. */
export const RECORD_FORMAT = 1;

export { RESULT_FILES };

const lesion = z.object({
  /** 1 is the largest; the number of its component in the mask. */
  id: z.number().int().positive(),
  voxels: z.number().int().positive(),
  volumeMm3: z.number().positive(),
  /** Mean position of its voxels in mm of the scanner: right, anterior, superior. */
  centreMm: z.tuple([z.number(), z.number(), z.number()]),
  /** Side of the brain, where it is far enough from its middle; null where the brain is not known. */
  side: z.enum(["left", "right", "midline"]).nullable(),
  /** Of a network's prediction: the mean over its voxels; where `calibrated`, that the lesion is a true one. */
  probability: z.number().min(0).max(1).optional(),
  /** Largest z in it: of the change statistic. */
  peakZ: z.number().optional(),
  /** Drawn by a reader; a program did not find it. */
  drawn: z.literal(true).optional(),
});

const visit = z.object({
  /** The file or folder as it was named, without its folder. */
  name: z.string(),
  /** YYYY-MM-DD, of DICOM. */
  date: z.string().optional(),
  /** Manufacturer, model and field, of DICOM. */
  scanner: z.string().optional(),
});

const quality = z.object({
  /** Whether the two visits are fit to be compared. */
  fit: z.boolean(),
  /** Plain lines; where they are not fit, the first says why. */
  lines: z.array(z.string()),
  /** The numbers in them (PairQuality in src/quality/pair_quality.ts). */
  measured: z.unknown().optional(),
});

export const recordSchema = z.object({
  format: z.literal(RECORD_FORMAT),
  program: z.string(),
  /** ISO 8601, UTC. */
  created: z.string(),
  patient: z.string(),
  /** "change": without a network, a statistic and not a segmentation. */
  kind: z.enum(["network", "change"]),
  /** Whether a lesion's probability is the share of such lesions that are true; else it is a score. */
  calibrated: z.boolean().optional(),
  visits: z.tuple([visit, visit]),
  /** Names of the images in the result's folder: they are fixed, and no way out of it. */
  files: z.object({
    mask: z.literal(RESULT_FILES.mask),
    visit1: z.literal(RESULT_FILES.visit1),
    visit2: z.literal(RESULT_FILES.visit2),
    probability: z.literal(RESULT_FILES.probability).optional(),
    change: z.literal(RESULT_FILES.change).optional(),
  }),
  weights: z.array(z.object({ name: z.string(), sha256: z.string() })),
  /** Grid of all files: that of visit 1 or 2, or the middle. */
  grid: z.enum(["t1", "t2", "middle"]),
  /** The answer of a network by the patient's rule, else whether the mask holds a lesion. */
  newLesions: z.boolean(),
  /** Thresholds in words. */
  rule: z.string(),
  /** The largest first. */
  lesions: z.array(lesion),
  quality,
  /** Of what a reader made of a result: its lesions are then the reader's. */
  reading: z
    .object({
      /** Initials; "" where none were given. */
      reader: z.string(),
      /** ISO 8601; null while lesions are undecided. */
      finished: z.string().nullable(),
      /** Lesions of the program that the reader rejected. */
      rejected: z.number().int().nonnegative(),
      notes: z.array(z.object({ lesion: z.number().int(), text: z.string() })),
    })
    .optional(),
  /** Facts of the registration, where there was one. */
  registration: z.unknown().optional(),
});

export type ResultRecord = Readonly<z.output<typeof recordSchema>>;
export type ResultLesion = Readonly<ResultRecord["lesions"][number]>;
export type ResultVisit = Readonly<ResultRecord["visits"][number]>;
