/** The font of a program's pictures. */
import { fileURLToPath } from "node:url";
import { GlobalFonts } from "@napi-rs/canvas";

const FILES = ["inter-latin-400-normal.woff2", "inter-latin-600-normal.woff2"];
let loaded = false;

/**
 * Makes `FONT` known to the canvas, weights 400 and 600. It comes with the program, because a
 * server or container often has no font at all, and then a canvas silently draws no text.
 */
export function loadFont(): void {
  if (loaded) return;
  for (const file of FILES) {
    const path = fileURLToPath(import.meta.resolve(`@fontsource/inter/files/${file}`));
    if (!GlobalFonts.registerFromPath(path)) throw new Error(`${path}: cannot be used as a font`);
  }
  loaded = true;
}
