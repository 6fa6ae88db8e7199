/** A result from what a prediction or a change statistic gave: the record, and the images beside it. A page may import it. */
import { version } from "../../package.json";
import { CHANGE_MM3, CHANGE_Z } from "../change/change_statistic";
import type { Mask, Volume } from "../data/volume";
import { leftOutText } from "../decision/decision_text";
import { type Acquisition, visitRecord } from "../dicom/acquisition";
import { placeOf } from "../eval/lesions";
import { qualityLines } from "../quality/quality_text";
import { sidesOf } from "../result/lesion_place";
import { lesionLabels, type Result } from "../result/parts";
import {
  RECORD_FORMAT,
  RESULT_FILES,
  type ResultLesion,
  type ResultRecord,
} from "../result/record";
import type { ToldPair } from "./compared_pair";
import { registrationOf } from "./findings_report";
import type { MatchedPair } from "./matched_pair";
import type { PairChange } from "./pair_change";
import type { AnswerGrid } from "./placed_pair";
import type { PredictedPair } from "./predict_read";

/** As a user named the pair: its visits without their folders. */
export interface ResultNames {
  /** As it stands in the report. */
  readonly patient: string;
  readonly t1: string;
  readonly t2: string;
  readonly grid: AnswerGrid;
}

type Visits = readonly [Volume, Volume];

/**
 * @param answer that came with its visits
 * @param weights names and hashes of their files
 */
export function resultOfAnswer(
  answer: PredictedPair,
  weights: ResultRecord["weights"],
  names: ResultNames,
): Result {
  const { map, findings, placed, acquisitions } = answer;
  const [visit1, visit2] = visitsOf(answer);
  const side = sidesOf(brainOf(placed, names.grid));
  const lesions = findings.lesions.map(
    ({ voxels, volumeMm3, centreMm, meanProbability, ...lesion }, i): ResultLesion => {
      const probability = Math.min(1, lesion.probability ?? meanProbability);
      return {
        id: i + 1,
        voxels,
        volumeMm3,
        centreMm: [...centreMm],
        side: side(centreMm),
        probability,
      };
    },
  );
  const { threshold, minLesionVolume } = findings.rule;
  const facts = commonFacts(names, answer, acquisitions);
  const leftOut = findings.outside ? [leftOutText(findings.outside)] : [];
  const record: ResultRecord = {
    ...facts,
    quality: { ...facts.quality, lines: [...facts.quality.lines, ...leftOut] },
    kind: "network",
    calibrated: findings.lesions.some(({ probability }) => probability !== undefined),
    files: filesOf("probability"),
    weights: [...weights],
    newLesions: findings.newLesions,
    rule: `probability ${threshold} or more, volume above ${minLesionVolume} mm³`,
    lesions,
  };
  return { record, visit1, visit2, mask: findings.mask, probability: map };
}

/** @param change that came with its visits */
export function resultOfChange(change: PairChange, names: ResultNames): Result {
  const { placed, acquisitions, mask, z, brighter } = change;
  const [visit1, visit2] = visitsOf(change);
  const side = sidesOf(brainOf(placed, names.grid));
  const voxels = voxelsByLabel(lesionLabels(mask, { kind: "change" }), brighter.length);
  const lesions = voxels.map((own, i): ResultLesion => {
    const { centreMm, ...size } = placeOf(mask, Int32Array.from(own));
    return {
      id: i + 1,
      ...size,
      centreMm: [...centreMm],
      side: side(centreMm),
      peakZ: brighter[i]!.peak,
    };
  });
  const record: ResultRecord = {
    ...commonFacts(names, change, acquisitions),
    kind: "change",
    files: filesOf("change"),
    weights: [],
    newLesions: lesions.length > 0,
    rule: `z of ${CHANGE_Z} or more, volume above ${CHANGE_MM3} mm³`,
    lesions,
  };
  return { record, visit1, visit2, mask, change: z };
}

function visitsOf({ visits }: { readonly visits?: Visits }): Visits {
  if (!visits) throw new Error("a result needs the visits on its grid: ask for them (withVisits)");
  return visits;
}

/** In the world of the answer. */
function brainOf({ brains, brain }: MatchedPair, grid: AnswerGrid): Mask | undefined {
  return { t1: brains[0], t2: brains[1], middle: brain }[grid];
}

function voxelsByLabel(labels: Int32Array, count: number): number[][] {
  const voxels = Array.from({ length: count }, (): number[] => []);
  labels.forEach((label, i) => {
    if (label > 0) voxels[label - 1]!.push(i);
  });
  return voxels;
}

const filesOf = (map: "probability" | "change") => {
  const { mask, visit1, visit2 } = RESULT_FILES;
  return { mask, visit1, visit2, [map]: RESULT_FILES[map] };
};

function commonFacts(
  { patient, t1, t2, grid }: ResultNames,
  told: ToldPair,
  [acquisition1, acquisition2]: PredictedPair["acquisitions"],
) {
  return {
    format: RECORD_FORMAT,
    program: `voxgrad ${version}`,
    created: new Date().toISOString(),
    patient,
    visits: [visitRecord(t1, acquisition1), visitRecord(t2, acquisition2)],
    grid,
    quality: qualityOf(told, acquisition1, acquisition2),
    registration: registrationOf(told.placed),
  } satisfies Partial<ResultRecord>;
}

function qualityOf(
  { placed: { alignment, pair }, quality }: ToldPair,
  one: Acquisition | undefined,
  two: Acquisition | undefined,
): ResultRecord["quality"] {
  const { reservations } = quality;
  const fit = reservations.length === 0;
  const scanner = ({ manufacturer, model, fieldStrength }: Acquisition) =>
    [manufacturer, model, fieldStrength].join();
  const changed = one && two && scanner(one) !== scanner(two);
  const lines = [
    ...reservations.map((why) => `NOT FIT: ${why}`),
    ...qualityLines(quality),
    ...pair.notes,
    ...(changed ? ["the two visits come from different scanners"] : []),
  ];
  if (!alignment) lines.push("the alignment of the visits was not checked");
  return { fit, lines, measured: quality };
}
