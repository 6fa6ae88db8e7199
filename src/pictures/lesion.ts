/** One lesion in three planes at both visits, enlarged: a strip for the report. */
import type { Mask, Volume } from "../data/volume";
import { loadFont } from "./font";
import { drawLesion } from "./lesion_panels";
import { newSheet } from "./sheet";

/** A PNG of what {@link drawLesion} draws. */
export function lesionStrip(
  visit1: Volume,
  visit2: Volume,
  lesion: Mask,
  names?: readonly [string, string],
): Uint8Array {
  loadFont();
  return drawLesion(newSheet, visit1, visit2, lesion, names).canvas.toBuffer("image/png");
}
