/** Given weights as the start of a training. A page may import it: nothing here knows of files. */
import { UserError } from "../core/errors";
import { parseJson } from "../core/json";
import { elements, showShape } from "../core/tensor";
import type { Safetensors } from "../data/safetensors";
import type { LoadedWeights } from "../infer/model";
import type { ModelInfo } from "../infer/model_info";
import { layout, type ParameterSpec, unetParameters } from "../nn/parameters";
import type { TrainConfig, TrainSettings } from "../settings/config";
import { type Ancestor, lineageSchema, type StartParts } from "../settings/lineage";

/** Its entry in the metadata of weights files: their ancestors, by name. */
const LINEAGE = "lineage";

/** The weights that a file of weights came from. @throws UserError where its metadata is damaged */
export function ancestorsOf(
  { metadata }: Pick<Safetensors, "metadata">,
  file: string,
): readonly Ancestor[] {
  const { [LINEAGE]: text } = metadata;
  const remedy = "the file is damaged, or another program wrote it: use another weights file";
  return text === undefined
    ? []
    : parseJson(text, lineageSchema, `${file}: its ${LINEAGE}`, remedy);
}

/** The metadata of a run's weights: the files that they came from, by name and hash. */
export function lineageMetadata({ lineage }: Pick<TrainConfig, "lineage">): Record<string, string> {
  if (lineage === undefined) return {};
  const named = lineage.map((each) => ({ ...each, weights: lastName(each.weights) }));
  return { [LINEAGE]: JSON.stringify(named) };
}

/** As `basename`: a path of this system or of another. */
const lastName = (path: string): string =>
  path.split(/[/\\]/).findLast((part) => part !== "") ?? path;

/** Settings of a training that follow the weights which it starts from, unless they are given. */
export function settingsOf({
  unet: { filters, groups, alignCorners },
  ...info
}: ModelInfo): Partial<TrainSettings> {
  const { spacing, normalisation, patch, difference, stride, windowWeights, mirror, bias } = info;
  const seen = { spacing, normalisation, patch, difference, bias };
  return { filters: [...filters], groups, alignCorners, ...seen, stride, windowWeights, mirror };
}

/**
 * Puts given weights over the random ones of a training.
 * @param flat of all parameters of the training, in place
 * @param file that the weights are of, for messages
 * @throws UserError where they do not fit
 */
export function putParameters(
  { info, flat: given }: Pick<LoadedWeights, "info" | "flat">,
  parts: StartParts,
  flat: Float32Array,
  specs: readonly ParameterSpec[],
  file: string,
): void {
  const theirs = unetParameters(info.unet);
  const { offsets } = layout(theirs);
  const { offsets: into } = layout(specs);
  for (const [i, { name, shape }] of theirs.entries()) {
    if (parts === "body" && name.startsWith("head.")) continue;
    const at = specs.findIndex((spec) => spec.name === name);
    if (at < 0 || showShape(specs[at]!.shape) !== showShape(shape)) {
      throw new UserError(
        `${file}: its ${name} (${showShape(shape)}) does not fit this run's network`,
      );
    }
    flat.set(given.subarray(offsets[i]!, offsets[i]! + elements(shape)), into[at]!);
  }
}
