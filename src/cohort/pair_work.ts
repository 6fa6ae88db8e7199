/** A pair of a cohort read and predicted, with networks or as a statistic of change. */
import type { Memory } from "../gpu/memory";
import type { Result } from "../result/parts";
import { type ChangeRequest, changeOfRead, readChange } from "../run/change_pair";
import { hashed, visitNames } from "../run/file_hash";
import type { Observer } from "../run/observer";
import { type Predictor, readRequest } from "../run/predict_pair";
import { predictRead, type ReadRequest } from "../run/predict_read";
import { resultOfAnswer, resultOfChange } from "../run/result_of_pair";
import type { CohortPair } from "./pairs";
import type { PairWork } from "./run_cohort";

type Work = Pick<PairWork<ReadRequest>, "read" | "compute">;

/** With the networks of a predictor. Those that want a brain mask get the one beside the visits. */
export function networkWork(predictor: Predictor, observer: Observer, signal: AbortSignal): Work {
  const request = { ...predictor.request, withVisits: true, ...UNWATCHED };
  const { models, grid = "t1" } = request;
  const named = hashed(models);
  const wantsMask = models.some(({ info }) => info.normalisation === "mask");
  return {
    read: ({ t1, t2, brainMask }) => {
      const brain = wantsMask ? (brainMask ?? request.brain) : request.brain;
      return readRequest({ ...request, t1, t2, brain }, QUIET, signal);
    },
    async compute(pair, read): Promise<Result> {
      const answer = await predictRead({ ...predictor, request }, read, observer, signal);
      return resultOfAnswer(answer, named, { ...namesOf(pair), grid });
    },
  };
}

/** Without a network. */
export function changeWork(
  memory: Memory,
  request: Omit<ChangeRequest, "t1" | "t2">,
  observer: Observer,
  signal: AbortSignal,
): Work {
  const of = ({ t1, t2 }: CohortPair) => ({ ...request, t1, t2, withVisits: true, ...UNWATCHED });
  return {
    read: (pair) => readChange(of(pair), QUIET, signal),
    async compute(pair, read): Promise<Result> {
      const change = await changeOfRead(memory, of(pair), read, observer, signal);
      return resultOfChange(change, { ...namesOf(pair), grid: request.grid ?? "t1" });
    },
  };
}

const namesOf = (pair: CohortPair) => ({ patient: pair.id, ...visitNames(pair) });

/** Of DICOM: a line about swapped visits would not be read among those of hundreds of pairs. */
const UNWATCHED = { doubts: "refused" } as const;

/** The record of a result holds the lines; those of hundreds of pairs are no help on a terminal. */
const QUIET: Observer = { note: () => {} };
