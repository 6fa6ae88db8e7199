import { expect, test } from "bun:test";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Philox } from "../src/core/random";
import { parseMask, parseNifti } from "../src/data/nifti_decode";
import { readMask, readVolume } from "../src/data/nifti_read";
import {
  expectUserError,
  type Fixture,
  fixture,
  inTemporaryFolder,
  ramp,
  SFORM,
  TYPES,
  type TypeName,
} from "./nifti_fixture";

const expected = (values: readonly number[]) => Float32Array.from(values);

test("every voxel type, both byte orders, NIfTI-1 and NIfTI-2, plain and scaled", () => {
  const random = new Philox(11);
  const extremes: Record<TypeName, readonly number[]> = {
    uint8: [0, 255],
    int8: [-128, 127],
    int16: [-32768, 32767],
    uint16: [0, 65535],
    int32: [-(2 ** 31), 2 ** 31 - 1],
    uint32: [0, 2 ** 32 - 1],
    int64: [-(2 ** 62), 2 ** 53, -1, -(2 ** 40) - 12345],
    uint64: [2 ** 63, 2 ** 40 + 3],
    float32: [-1.5, 3.4e38],
    float64: [-1e-3, 1e30],
  };
  for (const type of Object.keys(TYPES) as TypeName[]) {
    for (const version of [1, 2] as const) {
      for (const little of [true, false]) {
        for (const [slope, intercept] of [
          [0, 9],
          [1, 0],
          [0.5, -3],
        ] as const) {
          const id = `${type} v${version} ${little ? "little" : "big"} slope ${slope}`;
          const noise = Array.from({ length: 105 }, () => random.int(100));
          const values = [...extremes[type], ...noise].slice(0, 105);
          const bytes = fixture({
            ...{ type, version, little, values, slope, intercept },
            ...{ dims: [3, 7, 5, 3], sform: SFORM },
          });
          const { data, size, info, notes } = parseNifti(bytes, id);
          const scaled = slope === 0 ? values : values.map((v) => v * slope + intercept);
          expect(data, id).toEqual(expected(scaled));
          expect([...size], id).toEqual([7, 5, 3]);
          expect([info.voxelType, info.littleEndian, info.version], id).toEqual([
            type,
            little,
            version,
          ]);
          expect(notes, id).toEqual([]);
        }
      }
    }
  }
});

test("bytes at an odd place in their buffer, and an offset that is not a multiple of the type", () => {
  const file = fixture({ type: "float64", sform: SFORM, extension: [0, 0, 0, 0, 0, 0, 0] });
  const shifted = new Uint8Array(file.length + 3);
  shifted.set(file, 3);
  expect(parseNifti(shifted.subarray(3), "odd").data).toEqual(expected(ramp(24)));
});

test("header extensions are skipped, damaged ones too", () => {
  const extension = (size: number) => [1, 0, 0, 0, size, 255 * +(size < 0), 0, 0, 6, 0, 0, 0];
  for (const size of [16, -16, 0, 99]) {
    for (const version of [1, 2] as const) {
      const filled = [...extension(size), ...Array(8).fill(1)];
      const bytes = fixture({ sform: SFORM, version, extension: filled });
      expect(parseNifti(bytes, `extension ${size}`).data).toEqual(expected(ramp(24)));
    }
  }
});

test("files: plain, gzip, gzip of several members, gzip without .gz in the name", async () => {
  await inTemporaryFolder(async (folder) => {
    const bytes = fixture({ sform: SFORM });
    const members = [bytes.subarray(0, 200), bytes.subarray(200)].map((part) => gzipSync(part));
    const files: Record<string, Uint8Array> = {
      "plain.nii": bytes,
      "gz.nii.gz": gzipSync(bytes),
      "members.nii.gz": Buffer.concat(members),
      "hidden.nii": gzipSync(bytes),
      "named.nii.gz": bytes,
    };
    for (const [name, content] of Object.entries(files)) {
      await Bun.write(join(folder, name), content);
      expect((await readVolume(join(folder, name))).data, name).toEqual(expected(ramp(24)));
    }
  });
});

test("damaged, cut-off, missing and misplaced files are named with a remedy", async () => {
  await inTemporaryFolder(async (folder) => {
    const gz = gzipSync(fixture({ sform: SFORM, values: ramp(24) }));
    const flipped = Uint8Array.from(gz);
    flipped[gz.length - 6]! ^= 1;
    const second = Buffer.concat([gz, flipped]);
    const cases: [string, Uint8Array | string, string[]][] = [
      ["crc.nii.gz", flipped, ["damaged or cut-off gzip", "copy the file again"]],
      ["crc2.nii.gz", second, ["damaged or cut-off gzip", "copy the file again"]],
      ["cut.nii.gz", gz.subarray(0, gz.length - 9), ["damaged or cut-off gzip", "copy"]],
      ["text.nii", "this is no image, only text", ["not a NIfTI file", ".nii.gz"]],
      ["empty.nii", "", ["not a NIfTI file", "empty", "copy it again"]],
      ["short.nii", "ab", ["not a NIfTI file"]],
    ];
    for (const [name, content, parts] of cases) {
      await Bun.write(join(folder, name), content);
      await expectUserError(name, () => readVolume(join(folder, name)), name, ...parts);
    }
    const absent = join(folder, "absent.nii.gz");
    await expectUserError("absent", () => readVolume(absent), absent, "no such file", "check");
    await expectUserError("folder", () => readMask(folder), folder, "is a folder", ".nii.gz");
  });
});

test("every field that cannot be used is an error that names the file, the finding and a remedy", async () => {
  const dicom = new Uint8Array(400);
  dicom.set(new TextEncoder().encode("DICM"), 128);
  const cut = fixture({ sform: SFORM });
  const cases: [string, Fixture | Uint8Array, string[]][] = [
    ["4-D", { dims: [4, 2, 3, 2, 2] }, ["4-D", "2×3×2×2", "one 3-D volume", "fslroi"]],
    ["5-D", { dims: [5, 2, 3, 2, 1, 2] }, ["5-D", "one 3-D volume"]],
    ["2-D", { dims: [2, 4, 6] }, ["2-D", "expected a 3-D volume"]],
    ["dim0", { dims: [9, 2, 3, 4] }, ["bad dimensions", "dim[0] = 9", "export the image again"]],
    ["no dims", { dims: [0, 2, 3, 4] }, ["bad dimensions", "export the image again"]],
    ["negative", { dims: [3, -2, 3, 4] }, ["bad dimensions", "-2×3×4", "export"]],
    ["negative 4th", { dims: [4, 2, 3, 4, -1] }, ["bad dimensions", "2×3×4×-1", "export"]],
    ["zero", { dims: [3, 2, 0, 4] }, ["bad dimensions", "2×0×4", "export"]],
    ["huge", { version: 2, dims: [3, 2 ** 40, 3, 4] }, ["1099511627776×3×4", "4 GiB", "crop"]],
    ["large", { dims: [3, 1200, 1200, 1200] }, ["1200×1200×1200", "4 GiB", "crop"]],
    ["cut large", { dims: [3, 900, 900, 900] }, ["48 bytes of voxels", "1458000000", "copy"]],
    ["rgb", { datatype: 128 }, ["RGB24", "not supported", "convert"]],
    ["complex", { datatype: 32 }, ["complex64", "not supported", "convert"]],
    ["float128", { datatype: 1536 }, ["float128", "not supported", "convert"]],
    ["type", { datatype: 77 }, ["unknown voxel type 77", "convert"]],
    ["offset in flag", { offset: 350 }, ["vox_offset 350", "352", "export it again"]],
    ["offset NaN", { offset: Number.NaN }, ["vox_offset NaN", "export it again"]],
    ["offset part", { offset: 352.5 }, ["vox_offset 352.5", "export it again"]],
    ["offset far", { offset: 9999 }, ["cut off: 0 bytes", "vox_offset 9999", "copy it again"]],
    ["offset huge", { offset: 3e9 }, ["vox_offset 3000000000", "352 to 268435804", "export"]],
    ["offset v2", { version: 2, offset: 352 }, ["vox_offset 352", "544", "export it again"]],
    ["pair", { magic: "ni1\0" }, ["pair", "not supported", "convert"]],
    ["pair v2", { version: 2, magic: "ni2\0" }, ["pair", "not supported", "convert"]],
    ["magic v2", { magic: "n+2\0" }, ["348 bytes is NIfTI-1's", '"n+2" is not', "export"]],
    ["magic v1", { version: 2, magic: "n+1\0" }, ["540 bytes is NIfTI-2's", '"n+1"', "export"]],
    ["bitpix", { bitpix: 8 }, ["bitpix 8", "datatype 4 (int16) has 16", "export the image"]],
    ["bitpix v2", { version: 2, type: "float64", bitpix: 32 }, ["bitpix 32", "has 64 bits"]],
    ["analyze", { magic: "\0\0\0\0" }, ["not a NIfTI file", "Analyze", "convert"]],
    ["intercept", { slope: 2, intercept: Number.NaN }, ["scl_inter is NaN", "export"]],
    ["no size", { pixdim: [1, 0, 1, 1], sform: undefined }, ["no usable geometry", "fslcpgeom"]],
    ["no qform size", { pixdim: [1, 1, 1, 0], sform: undefined, qform: [0, 0, 0] }, ["1×1×0"]],
    ["NaN size", { pixdim: [1, 1, Number.NaN, 1], sform: undefined }, ["no usable geometry"]],
    ["flat sform", { sform: Array(12).fill(1) }, ["singular sform", "fslcpgeom"]],
    ["qform NaN", { sform: undefined, qform: [Number.NaN, 0, 0, 0, 0, 0] }, ["no usable geometry"]],
    ["metres", { units: 1 }, ["720×720×3000 mm", "header in metres", "units"]],
    ["all NaN", { type: "float32", values: Array(24).fill(Number.NaN) }, ["24 voxels", "export"]],
    ["cut data", cut.subarray(0, cut.length - 1), ["cut off", "47 bytes", "48", "copy it again"]],
    ["cut header", cut.subarray(0, 300), ["ends inside its NIfTI header", "300 of 348", "copy"]],
    ["dicom", dicom, ["not a NIfTI file", "DICOM", "dcm2niix"]],
  ];
  for (const [id, content, parts] of cases) {
    const bytes = content instanceof Uint8Array ? content : fixture({ sform: SFORM, ...content });
    const name = `data/${id}.nii`;
    await expectUserError(id, () => parseNifti(bytes, name), `${name}:`, ...parts);
    if (id !== "all NaN") await expectUserError(id, () => parseMask(bytes, name), `${name}:`);
  }
});

test("vox_offset 0 is the first place after the header; bitpix 0 says nothing", () => {
  for (const version of [1, 2] as const) {
    const bytes = fixture({ version, offset: 0, bitpix: 0, sform: SFORM });
    expect(parseNifti(bytes, "zero").data).toEqual(expected(ramp(24)));
  }
});

test("another kind of file under a NIfTI name: what it is, and what to do", async () => {
  const mgh = Uint8Array.from({ length: 400 }, (_, i) => [0, 0, 0, 1, 0, 0, 1, 0][i] ?? 0);
  const kinds: [string, string | Uint8Array, string[]][] = [
    ["mgh", mgh, ["FreeSurfer", "mri_convert"]],
    ["lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", ["git lfs pull"]],
    ["annex", "/annex/objects/MD5E-s1234--4d.nii.gz\n", ["git annex get"]],
    ["html", '\n<!DOCTYPE html><html lang="en"><title>404</title>', ["web page", "download"]],
    ["nrrd", "NRRD0004\ntype: short\n", ["NRRD", "convert"]],
    ["mha", "ObjectType = Image\nNDims = 3\n", ["MetaImage", "convert"]],
    ["bz2", "BZh91AY&SY", ["bzip2", "bunzip2"]],
    ["xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), ["xz", "unxz"]],
    ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0), ["zstd", "unzstd"]],
    ["zip", "PK\x03\x04", ["zip", "unpack"]],
    ["gzip twice", gzipSync(fixture()), ["gzip data in gzip data", "gunzip"]],
  ];
  await inTemporaryFolder(async (folder) => {
    for (const [id, content, parts] of kinds) {
      const path = join(folder, "image.nii.gz");
      const plain = typeof content === "string" ? new TextEncoder().encode(content) : content;
      for (const bytes of id === "gzip twice" ? [gzipSync(plain)] : [plain, gzipSync(plain)]) {
        await Bun.write(path, bytes);
        const wanted = [`${path}: not a NIfTI file`, ...parts];
        await expectUserError(id, () => readVolume(path), ...wanted);
      }
    }
  });
});

test("4-D with one volume is a volume; bytes after the voxels do not matter", () => {
  for (const dims of [
    [4, 2, 3, 4, 1],
    [5, 2, 3, 4, 0, 1],
  ]) {
    const bytes = fixture({ dims, sform: SFORM, values: ramp(30) });
    expect(parseNifti(bytes, "4-D").data, `dims ${dims}`).toEqual(expected(ramp(24)));
  }
});

test("NaN and infinity become 0, with a note that counts them", () => {
  const odd = [Number.NaN, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2, 1e300];
  const values = [...odd, ...ramp(294)];
  const file = fixture({ type: "float64", values, dims: [3, 6, 5, 10], sform: SFORM });
  const { data, notes } = parseNifti(file, "a.nii");
  expect(data).toEqual(expected([0, 1, 0, 0, 2, 0, ...ramp(294)]));
  expect(notes).toEqual(["a.nii: 4 voxels are NaN or infinite, set to 0"]);
});

test("an image in float64 that float32 cannot hold is refused, not set to 0", async () => {
  const values = ramp(300).map((v) => v * 1e37);
  const file = fixture({ type: "float64", values, dims: [3, 6, 5, 10], sform: SFORM });
  const parts = ["a.nii:", "of 300 voxels", "pass 3.4e38", "divide the image"];
  await expectUserError("float64", () => parseNifti(file, "a.nii"), ...parts);
});

test("masks: 0 and 1 within rounding error, empty ones too; anything else is an error", async () => {
  const mask = (values: number[], more: Fixture = {}) =>
    fixture({ type: "float32", values, dims: [3, 3, 1, 2], sform: SFORM, ...more });
  const data = (bytes: Uint8Array) => [...parseMask(bytes, "m.nii").data];
  expect(data(mask([0, 1, 1, 0.0009, 0.9991, -0.0009]))).toEqual([0, 1, 1, 0, 1, 0]);
  expect(data(mask([0, 0, 0, 0, 0, 0]))).toEqual([0, 0, 0, 0, 0, 0]);
  const byte = mask([0, 255, 0, 0, 255, 255], { type: "uint8", slope: 1 / 255 });
  expect(data(byte)).toEqual([0, 1, 0, 0, 1, 1]);
  for (const [value, shown] of [
    [2, "value 2"],
    [0.5, "value 0.5"],
    [-1, "value -1"],
    [0.998, "value 0.998"],
    [Number.NaN, "value NaN"],
    [Number.POSITIVE_INFINITY, "value Infinity"],
  ] as const) {
    const bytes = mask([0, 1, 0, 1, value, value]);
    const isProbability = value > 0 && value < 1;
    const advice = isProbability ? ["threshold", "IN -thr 0.5 -bin OUT"] : ["binarise", "IN -bin"];
    const parts = ["m.nii:", shown, "(1, 0, 1)", "2 of 6 voxels", ...advice];
    await expectUserError(shown, () => parseMask(bytes, "m.nii"), ...parts);
  }
});

test("a mask and an image keep their values when the buffer of their file is used again", () => {
  const voxels = fixture({ type: "uint8", sform: SFORM, values: ramp(24).map((v) => v % 2) });
  for (const parse of [parseMask, parseNifti]) {
    const buffer = Buffer.from(voxels);
    const { data } = parse(buffer, "m.nii");
    const before = [...data];
    buffer.fill(1);
    expect([...data]).toEqual(before);
    expect(new Set(before)).toEqual(new Set([0, 1]));
  }
});
