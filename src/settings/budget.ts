/** Settings of a run's length, and of the pace of its reports and validations. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { DURATION, NUMBER } from "./notation";
import { setting, theme, turnedOn } from "./setting";
import { positive, share, whole } from "./values";

export const budgetSettings = theme("The run", {
  /** Of training alone, or iterations: one of the two. */
  seconds: {
    ...setting(DURATION, positive.optional(), "<time>", "training time, e.g. 20m or 3h"),
    option: "budget",
  },
  iterations: setting(NUMBER, whole.optional(), "<n>", "iterations instead of a time"),
  seed: setting(
    NUMBER,
    z.number().int().min(0),
    "<n>",
    "seed of the weights, the patches and the split",
  ),
  validateEvery: setting(NUMBER, share, "<share>", "share of the budget between validations"),
  /** Absent: the budget alone ends a run. */
  patience: setting(
    NUMBER,
    whole.optional(),
    "<n>",
    "end early, after so many validations without a better Dice",
  ),
  reportEvery: setting(NUMBER, whole, "<n>", "iterations between reports"),
  tensorboard: turnedOn(
    z.boolean().default(false),
    "write TensorBoard event files too: numbers and pictures",
  ),
});

interface Budget {
  readonly seconds?: number;
  readonly iterations?: number;
}

export function checkBudget({ seconds, iterations }: Budget): void {
  if ((seconds === undefined) !== (iterations === undefined)) return;
  throw new UserError(
    `--budget and --iterations are both ${seconds === undefined ? "absent" : "given"}; a run has one of them`,
  );
}
