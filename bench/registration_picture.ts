/**
 * The picture of docs/guides/registration.md: edges of visit 2 on visit 1, as the headers put them and
 * after registration. bun bench/registration_picture.ts DATA/ljubljana_raw OUT.png
 */
import { join } from "node:path";
import { type Canvas, createCanvas } from "@napi-rs/canvas";
import { IDENTITY, orientedBox, outerCorners } from "../src/data/affine";
import { readVolume } from "../src/data/nifti_read";
import type { Affine, Grid, Volume } from "../src/data/volume";
import { Memory } from "../src/gpu/memory";
import { openDevice } from "../src/hosts/bun";
import { loadFont } from "../src/pictures/font";
import { COLOURS, FONT, write } from "../src/pictures/panel";
import { drawFitted, middleOf, overlaid, PLANES, planeOf } from "../src/pictures/registration";
import { writeAtomically } from "../src/platform/atomic_file";
import { align, middleGrid } from "../src/register/align";
import { rotationDegrees } from "../src/register/rigid";
import { warpTo } from "../src/register/warp";

const [PATIENTS, PANEL, GAP, HEADER, ROW] = [["01", "03", "19"], 212, 6, 30, 26];
const SHOWN = [PLANES[0], PLANES[2]];

const [data, out] = process.argv.slice(2) as [string, string];
const memory = new Memory(await openDevice({ quiet: true }));

/** Two planes through the middle of the head of visit 1, on voxels of 1 mm. */
async function shown(visits: readonly Volume[], motions: readonly Affine[], grid: Grid) {
  const placed = await Promise.all(visits.map((v, i) => warpTo(memory, v, motions[i]!, grid)));
  const at = middleOf(placed[0]!);
  return SHOWN.map((plane) => {
    const [one, two] = placed.map((visit) => planeOf(visit, plane, at));
    return overlaid(one!, two!);
  });
}

const fine = (grid: Grid) => orientedBox(outerCorners(grid), [1, 1, 1]);

async function rowOf(patient: string): Promise<{ label: string; images: Canvas[] }> {
  const path = (k: number) => join(data, `raw/patient${patient}/study${k}_FLAIR.nii.gz`);
  const visits = await Promise.all([readVolume(path(1)), readVolume(path(2))]);
  const { registration } = await align(memory, visits[0], visits[1], { mode: "always" });
  const { toVisit1, toVisit2, transform, moved } = registration!;
  const before = await shown(visits, [IDENTITY, IDENTITY], fine(visits[0]));
  const middle = fine(middleGrid(visits[0], visits[1], registration!));
  const after = await shown(visits, [toVisit1, toVisit2], middle);
  const motion = `turned by ${rotationDegrees(transform).toFixed(1)}°, moved by ${moved.toFixed(0)} mm`;
  return { label: `patient ${patient}: ${motion}`, images: [...before, ...after] };
}

const rows = [];
for (const patient of PATIENTS) rows.push(await rowOf(patient));
loadFont();
const width = 4 * PANEL + 5 * GAP;
const canvas = createCanvas(width, HEADER + rows.length * (PANEL + ROW));
const context = canvas.getContext("2d");
context.fillStyle = COLOURS.background;
context.fillRect(0, 0, canvas.width, canvas.height);
const heading = `600 14px ${FONT}`;
write(context, "as the headers put them", GAP, 20, heading, COLOURS.text);
write(context, "after registration", 3 * GAP + 2 * PANEL, 20, heading, COLOURS.text);
rows.forEach(({ label, images }, i) => {
  const top = HEADER + i * (PANEL + ROW);
  write(context, label, GAP, top + 16, `13px ${FONT}`, COLOURS.quiet);
  images.forEach((image, k) => {
    drawFitted(context, image, GAP + k * (PANEL + GAP), top + ROW - 4, PANEL, PANEL);
  });
});
writeAtomically(out, canvas.toBuffer("image/png"));
process.exit(0);
