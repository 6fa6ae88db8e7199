/**
 * Images and masks with a few bytes of their headers changed: refused in one line, or read as an
 * independent reader reads them. No checksum tells that a NIfTI header was changed.
 */
import { Philox } from "../../src/core/random";
import { parseMask, parseNifti } from "../../src/data/nifti_decode";
import { fixture, ramp, SFORM, type TypeName } from "../nifti_fixture";
import { readIndependently } from "./independent_reader";
import { judgeError } from "./judge";
import type { Case, Context, Part, Tried } from "./part";

const COUNT = 3000;
const NAME = "m.nii";
const ONE_LINE = /^m\.nii: [^\n]+$/;
const TYPES = ["int16", "float32", "uint8", "int64"] as const satisfies readonly TypeName[];

/** Whole files: both versions, both byte orders, four types; masks hold 0 and 1. */
const seeds = (isMask: boolean) =>
  TYPES.flatMap((type) =>
    ([1, 2] as const).flatMap((version) =>
      [true, false].map((little) => {
        const values = isMask ? ramp(24).map((v) => v % 2) : ramp(24);
        const qform = [0, 0, 0, -10, -20, -30];
        return fixture({ version, little, type, values, sform: SFORM, qform });
      }),
    ),
  );

/** One to four bytes of the header changed; one in fifty is cut off too. */
function mutated(whole: Uint8Array, trial: number, random: Philox): Uint8Array {
  const bytes = whole.slice(0, trial % 50 === 0 ? random.int(whole.length) : undefined);
  const changes = 1 + random.int(4);
  for (let i = 0; i < changes && bytes.length > 0; i++) {
    const at = random.int(Math.min(bytes.length, 560));
    bytes[at] = [0, 1, 127, 128, 255, random.int(256)][random.int(6)]!;
  }
  return bytes;
}

function isNear(found: readonly number[], expected: readonly number[]): boolean {
  return found.every((v, i) => Math.abs(v - expected[i]!) <= 1e-5 * (1 + Math.abs(expected[i]!)));
}

function judge(bytes: Uint8Array, isMask: boolean): Tried {
  let found: ReturnType<typeof parseMask | typeof parseNifti>;
  try {
    found = (isMask ? parseMask : parseNifti)(bytes.slice(), NAME);
  } catch (error) {
    return judgeError(error, ONE_LINE);
  }
  const { size, voxels, affine } = readIndependently(bytes);
  const expected = isMask
    ? voxels.map((v) => (v > 0.5 ? 1 : 0))
    : voxels.map((v) => (Number.isFinite(v) ? v : 0));
  const isNoted = isMask || voxels.every(Number.isFinite) || /NaN or/.test(found.notes.join());
  const isRight =
    isNoted &&
    Bun.deepEquals([...found.size], [...size]) &&
    Bun.deepEquals([...found.data], expected) &&
    isNear(found.affine, affine);
  if (isRight) return { end: "right" };
  const read = { size: found.size, affine: found.affine, data: [...found.data].slice(0, 30) };
  return { end: "silent", text: JSON.stringify([read, { size, affine, expected }]) };
}

export const headers: Part = {
  name: "headers",
  title: "mutated NIfTI headers, compared with an independent reader",
  seconds: 30,
  cases: ({ seed }: Context): Case[] => {
    const random = new Philox(seed);
    const [images, masks] = [seeds(false), seeds(true)];
    return Array.from({ length: COUNT }, (_, trial) => {
      const isMask = trial % 3 === 2;
      const from = (isMask ? masks : images)[random.int(images.length)]!;
      const bytes = mutated(from, trial, random);
      return { id: `header ${trial}`, run: () => judge(bytes, isMask) };
    });
  },
};
