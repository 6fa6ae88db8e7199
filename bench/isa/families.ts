/** AMD's chips as RADV_FORCE_FAMILY names them, with their architecture in Dawn's words. */

const ARCHITECTURES: readonly (readonly [chips: RegExp, architecture: string])[] = [
  [/^(vega|raven|renoir)/, "gcn-5"],
  [/^(navi1\d|gfx101\d)$/, "rdna-1"],
  [/^(navi2\d|gfx103\d|vangogh|rembrandt|raphael_mendocino)$/, "rdna-2"],
  [/^(navi3\d|gfx110\d|phoenix2?|gfx115\d)$/, "rdna-3"],
  [/^gfx120\d$/, "rdna-4"],
];

/** One chip of each architecture that voxgrad's defaults are held to. */
export const FAMILIES = ["navi31", "navi21", "vega10", "gfx1201"] as const;

/** "" where it is not known: voxgrad then takes what it takes on any GPU. */
export function architectureOf(family: string): string {
  return ARCHITECTURES.find(([chips]) => chips.test(family))?.[1] ?? "";
}
