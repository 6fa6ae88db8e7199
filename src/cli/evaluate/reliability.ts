/** The part of `bun run evaluate` that is about probability maps. */
import { UserError } from "../../core/errors";
import { sameGrid } from "../../data/affine";
import type { MaskPair } from "../../data/mask_folders";
import { readMask } from "../../data/nifti_read";
import { readProbability } from "../../data/probability_map";
import { LEAST_PROBABILITY, type Reliability, ReliabilityTally } from "../../eval/reliability";
import { table } from "../../terminal/text_table";

interface ProbabilityOptions {
  readonly reference?: string;
  readonly references?: string;
  readonly probability?: string;
  readonly probabilities?: string;
  readonly reliability?: string;
}

/** @throws UserError where an option stands without that which it is about */
export function checkProbabilityOptions(options: ProbabilityOptions): void {
  const { reference, references, probability, probabilities, reliability } = options;
  if (probability !== undefined && reference === undefined) {
    throw new UserError("--probability is the map of a pair: give --reference and --prediction");
  }
  if (probabilities !== undefined && references === undefined) {
    throw new UserError(
      "--probabilities are maps of a cohort: give --references and --predictions",
    );
  }
  if (reliability !== undefined && probability === undefined && probabilities === undefined) {
    throw new UserError(
      "--reliability draws probability maps: give --probability or --probabilities",
    );
  }
}

/**
 * Of all maps together; undefined without any.
 * @param pairs reference and map
 * @param picture PNG to draw it into
 */
export async function reliabilityOf(
  pairs: readonly MaskPair[],
  picture: string | undefined,
): Promise<Reliability | undefined> {
  if (pairs.length === 0) return undefined;
  const tally = new ReliabilityTally();
  for (const { reference, prediction } of pairs) {
    const [truth, map] = [await readMask(reference), await readProbability(prediction)];
    if (!sameGrid(truth, map)) {
      throw new UserError(
        `${prediction}: the map lies on another grid than ${reference}; predict with --grid t1`,
      );
    }
    tally.add(map.data, truth.data);
  }
  const found = tally.result();
  if (picture !== undefined) {
    const { drawReliability } = await import("../../pictures/reliability"); // canvas and charts load slowly
    drawReliability(found, picture);
  }
  return found;
}

/** Lines after the tables of masks. */
export function reliabilityText(reliability: Reliability | undefined): string {
  if (!reliability) return "";
  const { voxels, brier, ece, bins } = reliability;
  const head = ["probability", "voxels", "mean", "lesion"];
  const number = (value: number | null) => (value === null ? "–" : value.toFixed(3));
  const rows = bins.map(({ low, high, voxels: count, probability, share }) => [
    ...[`${low}–${high}`, `${count}`, number(probability), number(share)],
  ]);
  return [
    "",
    "",
    `Probabilities (${voxels} voxels of ${LEAST_PROBABILITY} or more)`,
    `Brier score                 ${brier === null ? "–" : brier.toFixed(4)}`,
    `expected calibration error  ${ece === null ? "–" : ece.toFixed(4)}`,
    ...table([head, ...rows]),
  ].join("\n");
}
