/** A sample of the bad images, and scans that only their values make useless, to `bun run predict`. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readVolume } from "../../src/data/nifti_read";
import { writeVolume } from "../../src/data/nifti_write";
import { bunRun, judgeRefusal, judgeSuccess } from "./command";
import { badImages, place } from "./images";
import { type Case, type Context, type Part, type Tried, thinned } from "./part";
import { type Rig, writeRig } from "./rig";

/** Bad images of the sample. */
const SAMPLE = 20;
const FEW = 3;

type Values = (data: Float32Array) => Float32Array;
/** A scan by its values; its refusal, or the note with which it is used. */
const SCANS: readonly (readonly [id: string, values: Values, refused?: RegExp, note?: RegExp])[] = [
  ["constant", (data) => data.fill(7), /all voxels have the same value/],
  ["zeros", (data) => data.fill(0), /all voxels have the same value/],
  ["constant 3e38", (data) => data.fill(3e38), /all voxels have the same value/],
  ["NaN", (data) => data.fill(Number.NaN), /not one of its 1728 voxels is a finite number/],
  ["half infinite", (data) => data.map((v, i) => (i % 2 ? v * 1e38 : v)), /pass 3\.4e38/],
  ["5 NaN", (data) => data.fill(Number.NaN, 0, 5), undefined, /5 voxels are NaN or infinite/],
  ["hot", (data) => data.fill(3e38, 0, 1), undefined, /1 hot voxel of up to 3e\+38/],
  ["300 × the brain", (data) => data.fill(1e5, 0, 2), undefined, /2 hot voxels of up to/],
];

async function predicted(rig: Rig, second: string, out: string) {
  rmSync(out, { force: true });
  return bunRun(["predict", ...rig.pair, "-t2", second, "-o", out]);
}

/** Nothing may be written beside a refusal. */
const without = (out: string, tried: Tried): Tried =>
  tried.end === "refused" && existsSync(out)
    ? { ...tried, end: "silent", text: "refused, but the mask is there" }
    : tried;

export const predict: Part = {
  name: "predict",
  title: "bad images to `bun run predict`",
  seconds: 200,
  cases: async ({ folder, short }: Context): Promise<Case[]> => {
    const rig = await writeRig(folder);
    const out = join(folder, "out.nii.gz");
    const refusable = badImages(true).filter(({ refused, mask }) => refused && !mask);
    const files = thinned(refusable, true, short ? FEW : SAMPLE).map(
      (image, i): Case => ({
        id: image.id,
        run: async () => {
          const path = await place(image, join(folder, `image${i}`));
          const left = await predicted(rig, path, out);
          return without(out, judgeRefusal(left, image.refused!));
        },
      }),
    );
    const scan = await readVolume(rig.visits[1]);
    const scans = thinned(SCANS, short, FEW).map(
      ([id, values, refused, note], i): Case => ({
        id: `a scan: ${id}`,
        run: async () => {
          const path = join(folder, `scan${i}.nii.gz`);
          await writeVolume(path, { ...scan, data: values(scan.data.slice()) });
          const left = await predicted(rig, path, out);
          if (refused) return without(out, judgeRefusal(left, refused));
          return judgeSuccess(left, () =>
            note!.test(left.err) && existsSync(out) ? undefined : `no note ${note}\n${left.err}`,
          );
        },
      }),
    );
    return [...files, ...scans];
  },
};
