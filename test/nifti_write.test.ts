import { expect, test } from "bun:test";
import { chmod, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Philox } from "../src/core/random";
import { readMask, readVolume } from "../src/data/nifti_read";
import { checkNiftiPath, writeMask, writeVolume } from "../src/data/nifti_write";
import { type Affine, voxelSize } from "../src/data/volume";
import { expectUserError, inTemporaryFolder } from "./nifti_fixture";

const size = [5, 3, 7] as const;
const random = new Philox(4);
const data = Float32Array.from({ length: 105 }, () => random.normal());
const bits = Uint8Array.from({ length: 105 }, () => random.int(2));

/** Proper and mirrored rotations by thirds and halves of a turn, and a general one. */
const AFFINES: Readonly<Record<string, Affine>> = {
  RAS: [1, 0, 0, -90, 0, 1, 0, -126, 0, 0, 1, -72, 0, 0, 0, 1],
  LAS: [-1, 0, 0, 90, 0, 1, 0, -126, 0, 0, 1, -72, 0, 0, 0, 1],
  LPS: [-0.72, 0, 0, 90, 0, -0.72, 0, 126, 0, 0, 3, -72, 0, 0, 0, 1],
  RAI: [1, 0, 0, -90, 0, 1, 0, -126, 0, 0, -1, 72, 0, 0, 0, 1],
  PIR: [0, 0, 1.5, 3, -0.5, 0, 0, 4, 0, -0.5, 0, 5, 0, 0, 0, 1],
  ASR: [0, 0, 1.5, 3, 0.5, 0, 0, 4, 0, 0.5, 0, 5, 0, 0, 0, 1],
  // A turn by −120° about x: the quaternion's largest component is b, and a has the other sign.
  turned: [1, 0, 0, 1, 0, -0.5, Math.sqrt(3) / 2, 2, 0, -Math.sqrt(3) / 2, -0.5, 3, 0, 0, 0, 1],
  oblique: [0.8, -0.6, 0, 1, 0.36, 0.48, 1.6, 2, -0.48, -0.64, 1.2, 3, 0, 0, 0, 1],
};

test("what is written is read back, .nii and .nii.gz, masks and volumes, any orientation", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const [id, affine] of Object.entries(AFFINES)) {
      for (const extension of ["nii", "nii.gz", "NII.GZ"]) {
        const path = join(folder, `${id}.${extension}`);
        await writeVolume(path, { size, affine, data });
        const volume = await readVolume(path);
        expect(volume.data, path).toEqual(data);
        expect([...volume.size], path).toEqual([...size]);
        expect(volume.affine, path).toEqual([...Float32Array.from(affine)]);
        expect([volume.info.voxelType, volume.notes], path).toEqual(["float32", []]);
        await writeMask(path, { size, affine, data: bits });
        const mask = await readMask(path);
        expect([mask.data, mask.info.voxelType], path).toEqual([bits, "uint8"]);
        const bytes = new Uint8Array(await Bun.file(path).arrayBuffer());
        expect(bytes[0] === 0x1f, `${path} compressed`).toBe(extension !== "nii");
      }
    }
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

test("the qform says the same as the sform; an affine with shear has an sform only", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "q.nii");
    for (const [id, affine] of Object.entries(AFFINES)) {
      await writeVolume(path, { size, affine, data });
      const file = Buffer.from(await Bun.file(path).arrayBuffer());
      expect([file.readInt16LE(252), file.readInt16LE(254)], id).toEqual([2, 2]);
      expect(file[123], `${id}: mm`).toBe(2);
      file.writeInt16LE(0, 254);
      await Bun.write(path, file);
      const read = await readVolume(path);
      expect(read.info.geometry, id).toBe("qform");
      read.affine.forEach((value, i) => {
        expect(Math.abs(value - affine[i]!), `${id} [${i}]`).toBeLessThan(1e-5);
      });
    }
    const sheared = AFFINES.RAS!.with(1, 0.1);
    await writeVolume(path, { size, affine: sheared, data });
    const file = Buffer.from(await Bun.file(path).arrayBuffer());
    expect([file.readInt16LE(252), file.readInt16LE(254)]).toEqual([0, 2]);
    expect(voxelSize((await readVolume(path)).affine)[1]).toBeCloseTo(Math.hypot(1, 0.1), 5);
  });
});

test("the file is the standard's: header fields at their places, voxels from byte 352", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "m.nii.gz");
    await writeMask(path, { size, affine: AFFINES.LPS!, data: bits });
    const file = gunzipSync(Buffer.from(await Bun.file(path).arrayBuffer()));
    expect(file.length).toBe(352 + 105);
    const dims = Array.from({ length: 8 }, (_, i) => file.readInt16LE(40 + 2 * i));
    expect(dims).toEqual([3, 5, 3, 7, 1, 1, 1, 1]);
    expect([file.readInt32LE(0), file.readInt16LE(70), file.readInt16LE(72)]).toEqual([348, 2, 8]);
    const reals = [108, 112, 116].map((at) => file.readFloatLE(at));
    expect(reals, "vox_offset, slope, intercept").toEqual([352, 1, 0]);
    expect(file.toString("latin1", 344, 352)).toBe("n+1\0\0\0\0\0");
    expect([...file.subarray(352)]).toEqual([...bits]);
  });
});

test("paths that cannot be written: a clear error, nothing left behind, the old file untouched", async () => {
  await inTemporaryFolder(async (folder) => {
    const mask = { size, affine: AFFINES.RAS!, data: bits };
    const write = (path: string) => () => writeMask(path, mask);
    for (const name of ["out.img", "out", "nii.gz", "out.mgz"]) {
      const path = join(folder, name);
      await expectUserError(name, write(path), path, "extension", "end it in .nii.gz or .nii");
      await expectUserError(name, () => checkNiftiPath(path), path, ".nii.gz");
    }
    const nowhere = join(folder, "absent", "out.nii.gz");
    await expectUserError("absent", write(nowhere), nowhere, "folder does not exist", "create it");
    const taken = join(folder, "taken.nii");
    await mkdir(taken);
    await expectUserError("taken", write(taken), taken, "cannot be written");
    const long = { size: [32768, 1, 1] as const, affine: mask.affine, data: new Uint8Array(32768) };
    const path = join(folder, "long.nii");
    await expectUserError("long", () => writeMask(path, long), path, "32768×1×1", "32767", "crop");
    expect(await readdir(folder)).toEqual(["taken.nii"]);
  });
});

test.skipIf(process.platform === "win32" || process.getuid?.() === 0)(
  "a folder without permission (skipped for root and on Windows, which may write anywhere)",
  async () => {
    await inTemporaryFolder(async (folder) => {
      await chmod(folder, 0o500);
      const path = join(folder, "out.nii.gz");
      const write = () => writeMask(path, { size, affine: AFFINES.RAS!, data: bits });
      await expectUserError("permission", write, path, "no permission", "another path");
      await chmod(folder, 0o700);
    });
  },
);
