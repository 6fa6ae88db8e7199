/** The weights of a prediction, read: how a pair is prepared for them, and a line about each. A page may import it. */
import { UserError } from "../core/errors";
import type { LoadedWeights } from "../infer/model";
import type { BiasMode } from "../settings/names";

export interface NamedWeights extends LoadedWeights {
  readonly path: string;
}

/**
 * Whether the bias of a pair is taken out: as in training, where the files say so and nothing was given.
 * @param note gets a line where the option differs from the training
 * @throws UserError where the files differ and nothing was given
 */
export function biasFor(
  models: readonly Pick<NamedWeights, "path" | "info">[],
  given: BiasMode | undefined,
  note: (line: string) => void,
): BiasMode {
  const known = models.filter(({ info }) => info.bias !== undefined);
  const other = known.find(({ info }) => info.bias !== (given ?? known[0]!.info.bias));
  if (given !== undefined) {
    if (other) note(`--bias ${given}: ${other.path} was trained with --bias ${other.info.bias}`);
    return given;
  }
  const [first] = known;
  if (!first || !other) return first?.info.bias ?? "auto";
  throw new UserError(
    `${other.path} was trained with --bias ${other.info.bias}, ${first.path} with --bias ` +
      `${first.info.bias}: a pair is prepared in one way for all; give --bias, or weights that agree`,
  );
}

/** A line for each file: how its network is applied. */
export function modelText({ path, info }: NamedWeights): string {
  const { spacing, patch, stride, windowWeights, mirror } = info;
  const mirrored = mirror === "" ? "" : `, mirrored along ${[...mirror].join(", ")}`;
  return (
    `weights ${path}: ${spacing} mm, windows of ${patch}³ every ${stride} voxels, ` +
    `${windowWeights}${mirrored}`
  );
}
