/** A made-up patient, predicted: what `bun run view` shows where no result is named. */
import { join } from "node:path";
import { ensurePhantom } from "../../data/phantom/cohort";
import { openDevice } from "../../hosts/bun";
import type { Result } from "../../result/parts";
import { changeOfFiles } from "../../run/change_pair";
import { loadModels } from "../../run/models";
import { predictFiles } from "../../run/predict_pair";
import { resultOfAnswer, resultOfChange } from "../../run/result_of_pair";
import { SHIPPED, shippedWeights } from "../../run/shipped_weights";
import type { TerminalObserver } from "../../run/terminal_observer";

/** As large as a head, so that the brain is found in it. */
const PHANTOM = { patients: 1, seed: 0, spacing: 1.25, fieldOfView: [160, 190, 160] } as const;

/** The result of the made-up patient: by the weights that come with voxgrad, else the statistic. */
export async function demoResult(
  { adapter }: { readonly adapter?: string },
  observer: TerminalObserver,
): Promise<Result> {
  const cohort = await ensurePhantom(PHANTOM);
  const [t1 = "", t2 = ""] = ["01", "02"].map((n) =>
    join(cohort, "patient001", `flair_time${n}_on_middle_space.nii.gz`),
  );
  const open = () => openDevice({ adapter });
  // Its visits lie on each other; its noise is no anatomy by which registration could see that.
  const pair = { t1, t2, grid: "t1", withVisits: true, register: "off" } as const;
  const names = { ...pair, patient: "made-up patient" };
  if (shippedWeights().length === 0) {
    const change = await changeOfFiles(pair, open, observer, observer.signal);
    return resultOfChange(change, names);
  }
  const models = loadModels([SHIPPED], {});
  const request = { ...pair, models, precision: "f32", tune: "off", tuneSeconds: 60 } as const;
  const answer = await predictFiles(request, open, observer, observer.signal);
  return resultOfAnswer(answer, models, names);
}
