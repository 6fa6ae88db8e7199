/**
 * The table and the picture of docs/guides/inference.md: `predict` on raw pair 01 beside the same pair as
 * prepared by the published transforms. bun bench/raw_and_prepared.ts DATA OUT.png [WEIGHTS]
 */
import { join } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import { dilated } from "../src/brain/morphology";
import { movedMask } from "../src/brain/pair_brain";
import { parseItkTransform } from "../src/data/itk_transform";
import { readMask, readVolume } from "../src/data/nifti_read";
import type { Mask, Volume } from "../src/data/volume";
import { connectedComponents } from "../src/eval/components";
import { overlap } from "../src/eval/dice";
import { Memory } from "../src/gpu/memory";
import { openDevice } from "../src/hosts/bun";
import { loadFont } from "../src/pictures/font";
import { COLOURS, drawPanel, FONT, greyImage, write } from "../src/pictures/panel";
import { newSheet } from "../src/pictures/sheet";
import { axialView, fullestSlice, greyWindow, slicePixels } from "../src/pictures/slice";
import { writeAtomically } from "../src/platform/atomic_file";
import { warpTo } from "../src/register/warp";
import { changeOfFiles } from "../src/run/change_pair";
import { loadModels } from "../src/run/models";
import { predictFiles } from "../src/run/predict_pair";
import { printResult } from "../src/terminal/result";

/** A lesion is found by the other too where that has a voxel within so many mm of it. */
const NEAR_MM = 3;
const [PANEL, GAP, HEADER] = [330, 6, 26];

const [data, out, weights] = process.argv.slice(2) as [string, string, string?];
const device = await openDevice({ quiet: true });
const open = async () => device;
const quiet = { note: () => {} };

const at = (...parts: string[]) => join(data, ...parts);
const raw = [1, 2].map((k) => at("ljubljana_raw/raw/patient01", `study${k}_FLAIR.nii.gz`));
const prepared = [1, 2].map((k) =>
  at("longitudinal/patient01", `flair_time0${k}_on_middle_space.nii.gz`),
);
const grid = await readVolume(prepared[1]!);
const truth = await readMask(at("longitudinal/patient01/ground_truth.nii.gz"));
const published = at("ljubljana_raw/coregistered/patient01/study1_FLAIR_to_common_space.txt");
/** A point of the prepared pair → the same point of raw visit 1. */
const toRaw = parseItkTransform(await Bun.file(published).text(), published);

interface Answer {
  readonly mask: Mask;
  /** Visit 2 on the grid of the mask. */
  readonly visit2: Volume;
}

async function answerOf([t1, t2]: readonly string[], network: boolean): Promise<Answer> {
  const pair = { t1: t1!, t2: t2!, withVisits: true };
  if (!network) {
    const { mask, visits } = await changeOfFiles(pair, open, quiet);
    return { mask, visit2: visits![1] };
  }
  const models = loadModels([weights!], {});
  const rule = { threshold: 0.5, minLesionVolume: 3, tune: "off", tuneSeconds: 0 } as const;
  const request = { ...pair, ...rule, models, precision: "f32" } as const;
  const { findings, visits } = await predictFiles(request, open, quiet);
  return { mask: findings.mask, visit2: visits![1] };
}

/** How many lesions of a mask the other has near, and how many there are. */
function shared(mask: Mask, other: Mask): string {
  const near = dilated(other, NEAR_MM).data;
  const { count, voxels } = connectedComponents(mask.data, mask.size, 26);
  let found = 0;
  for (let k = 1; k <= count; k++) if (voxels(k).some((i) => near[i] === 1)) found++;
  return `${found} of ${count}`;
}

const dice = (a: Mask, b: Mask) => overlap(a.data, b.data).dice.toFixed(2);

const rows: { name: string; visits: Volume[]; masks: Mask[] }[] = [];
for (const network of weights ? [false, true] : [false]) {
  const name = network ? "network" : "change statistic";
  const [own, theirs] = [await answerOf(raw, network), await answerOf(prepared, network)];
  const moved = movedMask(own.mask, toRaw, grid);
  const visit2 = await warpTo(new Memory(device), own.visit2, toRaw, grid);
  rows.push({ name, visits: [visit2, theirs.visit2], masks: [moved, theirs.mask] });
  printResult(
    `| ${name} | ${shared(moved, theirs.mask)} | ${shared(theirs.mask, moved)} | ${dice(moved, theirs.mask)} | ` +
      `${dice(moved, truth)} | ${dice(theirs.mask, truth)} |`,
  );
}

loadFont();
const view = axialView(grid);
const slice = fullestSlice(truth.data, view)!;
const height = Math.round((PANEL * view.height * view.pixelMm[1]) / (view.width * view.pixelMm[0]));
const canvas = createCanvas(2 * PANEL + 3 * GAP, rows.length * (HEADER + height) + GAP);
const context = canvas.getContext("2d");
context.fillStyle = COLOURS.background;
context.fillRect(0, 0, canvas.width, canvas.height);
const all = { left: 0, top: 0, right: view.width, bottom: view.height };
rows.forEach(({ name, visits, masks }, row) => {
  visits.forEach((visit, k) => {
    const left = GAP + k * (PANEL + GAP);
    const top = row * (HEADER + height) + HEADER;
    const pixels = slicePixels(visit.data, view, slice);
    const image = greyImage(newSheet, pixels, view, greyWindow(pixels));
    const outline = {
      pixels: slicePixels(masks[k]!.data, view, slice),
      colour: COLOURS.prediction,
    };
    drawPanel(context, { label: "", image, outline }, all, { left, top, width: PANEL, height });
    const label = `${name}, ${k === 0 ? "raw pair" : "prepared pair"}`;
    write(context, label, left + 2, top - 8, `600 14px ${FONT}`, COLOURS.text);
  });
});
writeAtomically(out, canvas.toBuffer("image/png"));
process.exit(0);
