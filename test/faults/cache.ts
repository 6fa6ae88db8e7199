/** Flipped bits of a prepared patient in the cache: each is noticed before a voxel of it is used. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Philox } from "../../src/core/random";
import { type EntryHeader, findEntry, readVoxels, writeEntry } from "../../src/data/prepared_entry";
import type { Case, Context, Part, Tried } from "./part";

const FLIPS = 300;
/** Share of the flips that fall on the header, in a file of its own. */
const HEADER_SHARE = 1 / 3;

const COUNT = 9 * 8 * 7;
const GRID = {
  size: [9, 8, 7],
  affine: [1, 0, 0, -4, 0, 1, 0, -4, 0, 0, 1, -3, 0, 0, 0, 1],
} as const satisfies EntryHeader["grid"];
const HEADER: EntryHeader = { grid: GRID, native: GRID, lesions: [[3, 4, 12]], notes: ["a note"] };

export const cache: Part = {
  name: "cache",
  title: "a prepared patient in the cache: 300 bits flipped",
  seconds: 30,
  cases: ({ folder, seed }: Context): Case[] => {
    const random = new Philox(seed);
    const path = join(folder, "entry.bin");
    const visits = [1, 2].map(() => Float32Array.from({ length: COUNT }, () => random.normal()));
    const label = new Uint8Array(COUNT);
    for (const voxel of HEADER.lesions[0]!) label[voxel] = 1;
    writeEntry(path, HEADER, [...visits, label]);
    const whole = new Map([path, `${path}.json`].map((file) => [file, readFileSync(file)]));

    const used = async (): Promise<boolean> => {
      const entry = findEntry(path, () => {});
      return entry !== undefined && (await readVoxels(path, entry, false)) !== undefined;
    };
    const flip = async (file: string, at: number, bit: number): Promise<Tried> => {
      const bytes = whole.get(file)!;
      writeFileSync(file, bytes.with(at, bytes[at]! ^ (1 << bit)));
      const isUsed = await used();
      writeFileSync(file, bytes);
      return isUsed ? { end: "silent", text: "used" } : { end: "refused" };
    };
    const flips = Array.from({ length: FLIPS }, (_, i): Case => {
      const file = i < FLIPS * HEADER_SHARE ? `${path}.json` : path;
      const [at, bit] = [random.int(whole.get(file)!.length), random.int(8)];
      const id = `flip ${i}: bit ${bit} of byte ${at} of ${file === path ? "voxels" : "header"}`;
      return { id, run: () => flip(file, at, bit) };
    });
    const intact: Case = {
      id: "nothing flipped",
      run: async () => ((await used()) ? { end: "right" } : { end: "unclear", text: "refused" }),
    };
    return [intact, ...flips];
  },
};
