/** How trained weights are applied to whole volumes: in validation, and by `predict`. */
import { UserError } from "../../core/errors";
import { whole } from "./values";

export const inferenceSettings = {
  /** Stride of the inference windows, voxels. */
  stride: whole,
};

interface Inference {
  readonly stride: number;
  readonly patch: number;
}

export function checkInference({ stride, patch }: Inference): void {
  if (stride > patch) throw new UserError(`--stride ${stride} passes the patch of ${patch}: gaps`);
}
