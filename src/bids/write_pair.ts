/** The derivatives of a pair of sessions. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { BidsPair, CohortPair } from "../cohort/pairs";
import { invertAffine } from "../data/affine";
import { itkTransformText } from "../data/itk_transform";
import { writeMask, writeVolume } from "../data/nifti_write";
import type { Affine } from "../data/volume";
import { writeAtomically } from "../platform/atomic_file";
import { lesionLabels, type Result } from "../result/parts";
import type { ResultRecord } from "../result/record";
import { reportOf } from "../result/report_of";
import { sha256Of } from "../run/file_hash";
import { rawUri } from "./dataset";
import { pathsOf } from "./names";

const registrationSchema = z.looseObject({
  trusted: z.boolean(),
  visit1ToVisit2: z.array(z.number()).length(16),
});

/** Where the data sets lie. */
export interface BidsPlaces {
  readonly bids: string;
  readonly out: string;
}

type Written = CohortPair & { readonly bids: BidsPair };

/** @throws UserError where something cannot be written */
export async function writePair(places: BidsPlaces, pair: Written, result: Result): Promise<void> {
  const { record, mask, probability, visit1, visit2 } = result;
  const paths = pathsOf(pair.bids, record.grid);
  const to = (name: string) => join(places.out, name);
  for (const name of Object.values(paths).flat()) mkdirSync(dirname(to(name)), { recursive: true });
  const shared = sidecar(places, pair, record);
  const json = (name: string, more: object) =>
    writeAtomically(to(`${name}.json`), `${JSON.stringify({ ...more, ...shared }, null, 2)}\n`);
  const labels = lesionLabels(mask, record);
  const few = record.lesions.length < 256;
  await Promise.all([
    writeMask(to(`${paths.mask}.nii.gz`), mask),
    few
      ? writeMask(to(`${paths.lesions}.nii.gz`), { ...mask, data: Uint8Array.from(labels) })
      : writeVolume(to(`${paths.lesions}.nii.gz`), { ...mask, data: Float32Array.from(labels) }),
    probability && writeVolume(to(`${paths.probability}.nii.gz`), probability),
    ...(record.grid === "middle" ? [visit1, visit2] : []).map((visit, i) => {
      const Description = "the FLAIR, sampled half-way between both sessions";
      json(paths.visits[i]!, { Description, SkullStripped: false });
      return writeVolume(to(`${paths.visits[i]}.nii.gz`), visit);
    }),
  ]);
  json(paths.mask, { Type: "Lesion", ...answerOf(record) });
  json(paths.lesions, {
    Description: "each new lesion by its number, the largest is 1",
    ...COLUMNS,
  });
  if (probability) json(paths.probability, { Description: meaningOf(record) });
  writeAtomically(to(`${paths.lesions}.tsv`), lesionsTsv(record));
  writeTransforms(record, to(paths.forward), to(paths.backward));
  writeAtomically(to(paths.report), reportOf(result));
}

/** What every file of a pair was made of. */
function sidecar({ bids }: BidsPlaces, pair: Written, { grid, weights, program }: ResultRecord) {
  const sources = [pair.t1, pair.t2];
  const uris = sources.map((path) => rawUri(bids, path));
  const paths = pathsOf(pair.bids, grid);
  return {
    Sources: uris,
    SpatialReference: { t1: uris[0], t2: "orig", middle: `bids::${paths.visits[1]}.nii.gz` }[grid],
    SourcesSHA256: Object.fromEntries(uris.map((uri, i) => [uri, sha256Of(sources[i]!)])),
    Weights: weights,
    Program: program,
  };
}

function answerOf({ newLesions, quality, lesions, rule }: ResultRecord) {
  const unknown = !newLesions && !quality.fit;
  return {
    Description: "lesions that are new at this session since the first of Sources",
    AnyNewLesion: unknown ? "unknown" : newLesions,
    Lesions: lesions.length,
    VolumeMm3: lesions.reduce((sum, { volumeMm3 }) => sum + volumeMm3, 0),
    Rule: rule,
    FitToBeCompared: quality.fit,
    Comparison: quality.lines,
  };
}

const meaningOf = ({ calibrated }: ResultRecord): string =>
  calibrated
    ? "probability of new lesion, calibrated on left-out patients"
    : "the network's output for new lesion: a score that is not calibrated";

/** Of the table beside the numbered lesions, besides its index and name. */
const COLUMNS = {
  volume_mm3: { Description: "volume", Units: "mm^3" },
  probability: {
    Description: "mean of the map over the lesion; where calibrated, that it is a true one",
  },
  x_mm: { Description: "centre, towards right", Units: "mm" },
  y_mm: { Description: "centre, towards anterior", Units: "mm" },
  z_mm: { Description: "centre, towards superior", Units: "mm" },
  side: { Description: "of the brain, where the centre is far enough from its middle" },
};

/** A row for each lesion; a cell that does not apply is n/a, as BIDS has it. */
function lesionsTsv({ lesions }: ResultRecord): string {
  const head = ["index", "name", ...Object.keys(COLUMNS)];
  const rows = lesions.map(({ id, volumeMm3, probability, centreMm, side }) => [
    ...[id, `lesion${id}`, volumeMm3.toFixed(1), probability?.toFixed(4) ?? "n/a"],
    ...[...centreMm.map((mm) => mm.toFixed(1)), side ?? "n/a"],
  ]);
  return [head, ...rows].map((row) => `${row.join("\t")}\n`).join("");
}

/** Where registration was trusted: as ITK resamples, from points of the fixed image to the moving one. */
function writeTransforms({ registration }: ResultRecord, forward: string, backward: string): void {
  const found = registrationSchema.safeParse(registration);
  if (!found.success || !found.data.trusted) return;
  const toVisit2 = found.data.visit1ToVisit2 as unknown as Affine;
  writeAtomically(backward, itkTransformText(toVisit2));
  writeAtomically(forward, itkTransformText(invertAffine(toVisit2)));
}
