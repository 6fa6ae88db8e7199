/** Probability maps in files. */
import { UserError } from "../core/errors";
import { readVolume } from "./nifti_read";

/** For what resampling and rounding leave. */
const ROUNDING = 1e-5;

/** @throws UserError where the file cannot be read, or a voxel is no probability */
export async function readProbability(path: string) {
  const map = await readVolume(path);
  const wrong = map.data.findIndex((p) => !(p >= -ROUNDING && p <= 1 + ROUNDING));
  if (wrong < 0) return map;
  throw new UserError(
    `${path}: holds ${map.data[wrong]}, and probabilities lie from 0 to 1; give the map that ` +
      "`predict --probability` writes",
  );
}
