/**
 * A film strip: six pictures that bench/web_pair.ts has made of a pair.
 * bun bench/web_film.ts FOLDER OUT.png
 */
import { join } from "node:path";
import { createCanvas, loadImage } from "@napi-rs/canvas";
import { loadFont } from "../src/pictures/font";
import { COLOURS, FONT, write } from "../src/pictures/panel";
import { writeAtomically } from "../src/platform/atomic_file";

const FRAMES = [
  ["drop", "1  Drop the scans of both visits"],
  ["register", "2  The visits are registered"],
  ["result", "3  The network finds new lesions"],
  ["reject", "4  A reader rejects a lesion"],
  ["export", "5  Downloads the corrected mask"],
  ["report", "6  And the report"],
] as const;
const [ACROSS, WIDTH, HEIGHT, LINE, GAP] = [2, 600, 338, 30, 8];

const [folder, out] = process.argv.slice(2) as [string, string];
loadFont();
const rows = Math.ceil(FRAMES.length / ACROSS);
const canvas = createCanvas(ACROSS * (WIDTH + GAP) + GAP, rows * (HEIGHT + LINE) + GAP);
const context = canvas.getContext("2d");
context.fillStyle = COLOURS.background;
context.fillRect(0, 0, canvas.width, canvas.height);
context.imageSmoothingQuality = "high";
for (const [i, [state, title]] of FRAMES.entries()) {
  const [x, y] = [GAP + (i % ACROSS) * (WIDTH + GAP), Math.floor(i / ACROSS) * (HEIGHT + LINE)];
  write(context, title, x, y + 20, `600 14px ${FONT}`, COLOURS.text);
  const picture = await loadImage(join(folder, `chromium-${state}-1280.png`));
  context.drawImage(picture, x, y + LINE, WIDTH, HEIGHT);
}
await writeAtomically(out, canvas.toBuffer("image/png"));
