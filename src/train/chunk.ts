/** The default number of patches in a dispatch (docs/measurements/performance.md#memory). */
import type { Capabilities } from "../core/kernel";
import type { TrainConfig } from "../settings/config";

/**
 * Patches of 32³, or as many voxels, that are trained on in one dispatch. A processor loses nothing by
 * few; a GPU needs enough to fill it, and takes the paper's whole batch.
 */
const TRAINED: Readonly<Record<Capabilities["kind"], number>> = {
  lavapipe: 12,
  swiftshader: 12,
  hardware: 32,
};

/**
 * On a GPU, so many times as many patches are ranked in one: ranking keeps nothing for a backward pass,
 * and finds room in what training needs.
 */
const RANKED = 2;

/** Most patches that are trained on, and that are ranked, in one dispatch. */
export function chunksFor(
  { chunk, patch }: Pick<TrainConfig, "chunk" | "patch">,
  { kind }: Pick<Capabilities, "kind">,
): { readonly trained: number; readonly ranked: number } {
  const trained = chunk ?? Math.max(1, Math.round(TRAINED[kind] * (32 / patch) ** 3));
  return { trained, ranked: kind === "hardware" ? RANKED * trained : trained };
}
