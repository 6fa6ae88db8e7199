import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { orientationCode } from "../src/data/affine";
import { readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { inTemporaryFolder } from "./nifti_fixture";

/** Writes random images, one JSON line each: path, values (x fastest), affine, orientation. */
const WRITE = `
import json, sys, itertools, numpy as np, nibabel as nib
rng = np.random.default_rng(6)
types = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
for n, (t, e, v) in enumerate(itertools.product(types, "<>", (1, 2))):
    shape = tuple(rng.integers(2, 7, 3))
    axes = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    q, _ = np.linalg.qr(axes + 0.15 * rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = q * rng.uniform(0.4, 3, 3)
    affine[:3, 3] = rng.uniform(-90, 90, 3)
    data = rng.integers(0, 120, shape).astype(t)
    image, header = (nib.Nifti1Image, nib.Nifti1Header) if v == 1 else (nib.Nifti2Image, nib.Nifti2Header)
    h = header(endianness=e)
    h.set_data_dtype(np.dtype(t).newbyteorder(e))
    img = image(data, None, h)
    form = ("sform", "qform", "both")[n % 3]
    if form != "qform": img.set_sform(affine, 1)
    if form != "sform": img.set_qform(affine, 2)
    if n % 4 == 1 and t[0] != "f": img.header.set_slope_inter(0.25, -7)
    path = f"{sys.argv[1]}/{n}.nii" + (".gz" if n % 2 else "")
    nib.save(img, path)
    back = nib.load(path)
    print(json.dumps(dict(path=path, values=back.get_fdata().ravel(order="F").tolist(),
        size=back.shape, affine=back.affine.ravel().tolist(),
        code="".join(nib.aff2axcodes(back.affine)))))
`;

/** Reads images and prints what nibabel sees in them. */
const READ = `
import json, sys, nibabel as nib
for path in sys.argv[1:]:
    i = nib.load(path)
    print(json.dumps(dict(values=i.get_fdata().ravel(order="F").tolist(), size=i.shape,
        affine=i.affine.ravel().tolist(), qform=i.get_qform().ravel().tolist(),
        dtype=str(i.get_data_dtype()), unit=i.header.get_xyzt_units()[0])))
`;

interface Seen {
  path: string;
  values: number[];
  size: number[];
  affine: number[];
  code: string;
  qform: number[];
  dtype: string;
  unit: string;
}

const PYTHON = ["python3", "/usr/bin/python3"].find(
  (python) => spawnSync(python, ["-c", "import nibabel"]).status === 0,
);
if (!PYTHON) console.log("nifti: no Python with nibabel here; the comparison with it is skipped");

function python(script: string, ...args: string[]): Seen[] {
  const { stdout, stderr, status } = spawnSync(PYTHON!, ["-c", script, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  expect(status, stderr).toBe(0);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Seen);
}

function expectClose(
  got: readonly number[],
  want: readonly number[],
  tolerance: number,
  id: string,
) {
  const distance = Math.max(...got.map((value, i) => Math.abs(value - want[i]!)));
  expect(distance, id).toBeLessThan(tolerance);
}

test.skipIf(!PYTHON)("nibabel and we agree on each other's files", async () => {
  await inTemporaryFolder(async (folder) => {
    const files: string[] = [];
    const theirs = python(WRITE, folder);
    expect(theirs.length).toBe(40);
    for (const [n, seen] of theirs.entries()) {
      const volume = await readVolume(seen.path);
      expect([...volume.data], seen.path).toEqual([...Float32Array.from(seen.values)]);
      expect([...volume.size], seen.path).toEqual(seen.size);
      expectClose(volume.affine, seen.affine, 1e-4, seen.path);
      expect(orientationCode(volume.affine), seen.path).toBe(seen.code);
      files.push(join(folder, `ours${n}.nii${n % 3 ? ".gz" : ""}`));
      if (n % 2) await writeVolume(files[n]!, volume);
      else
        await writeMask(files[n]!, {
          ...volume,
          data: Uint8Array.from(volume.data, (v) => +(v > 50)),
        });
    }
    for (const [n, seen] of python(READ, ...files).entries()) {
      const { values, size, affine, path } = theirs[n]!;
      const want = n % 2 ? [...Float32Array.from(values)] : values.map((v) => +(v > 50));
      expect(seen.values, path).toEqual(want);
      expect(seen.size, path).toEqual(size);
      expectClose(seen.affine, affine, 1e-4, path);
      expectClose(seen.qform, affine, 1e-4, path);
      expect([seen.dtype, seen.unit], path).toEqual([n % 2 ? "float32" : "uint8", "mm"]);
    }
  });
});
