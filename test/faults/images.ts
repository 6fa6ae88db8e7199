/** 150 bad images, given to the functions that read them. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readMask } from "../../src/data/nifti_read";
import { loadPair } from "../../src/data/patient";
import { CONTRADICTIONS } from "./images/contradictions";
import { CUT_OFF } from "./images/cut";
import type { ImageCase } from "./images/image_case";
import { OTHER_FORMATS } from "./images/other_formats";
import { pathOf, placesAndBombs } from "./images/places";
import { VALUES } from "./images/values";
import { judgeError } from "./judge";
import type { Case, Context, Part, Tried } from "./part";

/** All of them. A bomb inflates to 64 MiB in the short form, else to 3 GiB. */
export const badImages = (short: boolean): readonly ImageCase[] => [
  ...CUT_OFF,
  ...CONTRADICTIONS,
  ...OTHER_FORMATS,
  ...VALUES,
  ...placesAndBombs(short ? 64 : 3072),
];

/** Puts the case's file into a folder that is made for it, and gives its path. */
export async function place(image: ImageCase, folder: string): Promise<string> {
  mkdirSync(folder);
  const path = pathOf(image, folder);
  if (typeof image.file === "function") await image.file(path);
  else writeFileSync(path, image.file);
  return path;
}

async function read(path: string, mask: boolean) {
  if (mask) return readMask(path);
  const { time1, notes } = await loadPair(path, path);
  return { data: time1.data, notes };
}

async function judge(image: ImageCase, path: string): Promise<Tried> {
  const { refused, note, voxels, mask = false } = image;
  try {
    const { data, notes } = await read(path, mask);
    if (refused) return { end: "silent", text: `taken, expected a refusal: ${refused}` };
    if (note && !notes.some((line) => line.includes(path) && note.test(line))) {
      return { end: "silent", text: `no note that says ${note}: ${JSON.stringify(notes)}` };
    }
    if (voxels && !Bun.deepEquals([...data], [...voxels])) {
      return { end: "silent", text: `other voxels: ${data.slice(0, 30)}` };
    }
    return { end: "right" };
  } catch (error) {
    const says = judgeError(error, refused ?? /^(?!)/);
    const { message } = error as Error;
    if (says.end === "refused" && !message.startsWith(`${path}: `)) {
      return { end: "unclear", text: `does not begin with the file: ${message}` };
    }
    return says;
  }
}

export const images: Part = {
  name: "images",
  title: "bad NIfTI files, to the reading functions",
  seconds: 120,
  cases: ({ folder, short }: Context): Case[] =>
    badImages(short).map((image, i) => ({
      id: image.id,
      run: async () => {
        const inside = join(folder, String(i));
        const path = await place(image, inside);
        const tried = await judge(image, path);
        rmSync(inside, { recursive: true });
        return tried;
      },
    })),
};
