/** Settings for applying trained weights to whole volumes, in validation and by `predict`. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { MIRRORS, type Mirror, WINDOW_WEIGHTS } from "./names";
import { NAME, type Notation, NUMBER } from "./notation";
import { setting, theme } from "./setting";
import { whole } from "./values";

/** `xyz`, `x`, or `none` for "". */
export const MIRROR: Notation<Mirror> = {
  read(text) {
    const axes = text === "none" ? "" : [...new Set(text)].sort().join("");
    const mirror = MIRRORS.find((known) => known === axes);
    if (mirror !== undefined && text !== "") return mirror;
    throw new UserError("expected axes such as x or xyz, or none.");
  },
  write: (mirror) => mirror || "none",
};

export const inferenceSettings = theme("Inference, as `predict` will do it", {
  stride: setting(NUMBER, whole, "<n>", "stride of the inference windows, voxels"),
  windowWeights: setting(
    NAME,
    z.enum(WINDOW_WEIGHTS).default("uniform"),
    "<how>",
    "average overlapping windows uniform or gaussian",
  ),
  /** Validations while training goes on leave it out. */
  mirror: setting(
    MIRROR,
    z.enum(MIRRORS).default(""),
    "<axes>",
    "average over mirrored windows, e.g. xyz, or none",
  ),
});

interface Inference {
  readonly stride: number;
  readonly patch: number;
}

export function checkInference({ stride, patch }: Inference): void {
  if (stride > patch) {
    throw new UserError(
      `--stride ${stride} leaves gaps between windows of --patch ${patch}; give at most that`,
    );
  }
}
