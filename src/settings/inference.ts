/** How trained weights are applied to whole volumes: in validation, and by `predict`. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { MIRRORS, WINDOW_WEIGHTS } from "./names";
import { whole } from "./values";

export const inferenceSettings = {
  /** Stride of the inference windows, voxels. */
  stride: whole,
  /** How overlapping windows are weighted. */
  windowWeights: z.enum(WINDOW_WEIGHTS).default("uniform"),
  /** Axes to mirror and average over, "" for none; not in validations while training goes on. */
  mirror: z.enum(MIRRORS).default(""),
};

interface Inference {
  readonly stride: number;
  readonly patch: number;
}

export function checkInference({ stride, patch }: Inference): void {
  if (stride > patch) throw new UserError(`--stride ${stride} passes the patch of ${patch}: gaps`);
}
