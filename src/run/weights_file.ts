/** Weights files on disk. */
import { readSafetensors } from "../data/safetensors_file";
import { type LoadedWeights, weightsOf } from "../infer/model";

/** Reads a weights file. @throws UserError when it cannot be read, or is not one of voxgrad's */
export const loadWeights = (path: string): LoadedWeights => weightsOf(readSafetensors(path), path);
