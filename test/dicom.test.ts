/** DICOM in place of a NIfTI: conversion, the choice of the FLAIR, and what is refused. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readVolume } from "../src/data/nifti_read";
import { writeSafetensors } from "../src/data/safetensors_file";
import type { Volume } from "../src/data/volume";
import { acquisitionText } from "../src/dicom/acquisition";
import { type Converter, convert, findConverter } from "../src/dicom/converter";
import { readScan } from "../src/dicom/read_scan";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { affineOf, type MadeSeries, sliceFile, writeSeries } from "./dicom_rig";
import { weightsContents } from "./weights_rig";
import { zipOf } from "./zip_rig";

const root = mkdtempSync(join(tmpdir(), "voxgrad-dicom-"));
process.env.VOXGRAD_CACHE = join(root, "cache");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const emptyFolder = () => mkdtempSync(join(root, "empty"));
const newFolder = () => join(root, `study${folders++}`);

const [COLUMNS, ROWS] = [24, 20];
/** Oblique slices of 3 mm; a voxel's value tells its place. */
const FLAIR: MadeSeries = {
  ...{ number: 5, description: "t2_tirm_tra_dark-fluid", times: { tr: 9000, te: 100, ti: 2500 } },
  ...{ size: [COLUMNS, ROWS, 12], spacing: [1.25, 1, 3], origin: [-10, -12, -20] },
  orientation: [1, 0, 0, 0, Math.cos(0.2), Math.sin(0.2)],
  value: (column, row, slice) => column + COLUMNS * (row + ROWS * slice),
};
const T1: MadeSeries = {
  ...{ ...FLAIR, number: 3, description: "t1_mprage_sag", acquisition: "3D" },
  times: { tr: 1900, te: 2.5, ti: 900 },
};

/** A folder with these series. */
function study(...series: readonly MadeSeries[]): string {
  const folder = newFolder();
  for (const one of series) writeSeries(folder, one);
  return folder;
}

const filesOf = (series: MadeSeries) =>
  Array.from({ length: series.size[2] }, (_, slice) => ({
    name: `DICOM/S${series.number}/IM${slice}`,
    bytes: sliceFile(series, slice),
  }));

function zipFile(...parts: Parameters<typeof zipOf>[0]): string {
  const path = `${newFolder()}.zip`;
  writeFileSync(path, zipOf(parts));
  return path;
}

/** The program, where it is installed, and the package. */
const converters: readonly (readonly [string, Converter | undefined])[] = [
  ["the system's dcm2niix", orNothing(() => findConverter(), /^(?!@).*[\\/]dcm2niix(\.exe)?$/)],
  ["@niivue/dcm2niix", orNothing(() => findConverter(""), /^@niivue/)],
];

function orNothing(find: () => Converter, name: RegExp): Converter | undefined {
  try {
    const found = find();
    return name.test(found.name) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Every voxel of the image lies where the DICOM that holds its value lies. */
function farthest(image: Volume, series = FLAIR): number {
  const [nx, ny] = image.size;
  const place = (affine: readonly number[], at: readonly number[]) =>
    [0, 4, 8].map(
      (row) =>
        affine[row]! * at[0]! +
        affine[row + 1]! * at[1]! +
        affine[row + 2]! * at[2]! +
        affine[row + 3]!,
    );
  const dicom = affineOf(series);
  return image.data.reduce((most, value, i) => {
    const here = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
    const there = [
      value % COLUMNS,
      Math.floor(value / COLUMNS) % ROWS,
      Math.floor(value / (COLUMNS * ROWS)),
    ];
    const [a, b] = [place(image.affine, here), place(dicom, there)];
    return Math.max(most, ...a.map((mm, axis) => Math.abs(mm - b[axis]!)));
  }, 0);
}

for (const [name, converter] of converters) {
  describe.skipIf(!converter)(name, () => {
    const read = (path: string, series?: number) => readScan(path, { converter, series });

    test("finds the FLAIR beside a T1, and its geometry is the DICOM's", async () => {
      const { image, acquisition } = await read(study(T1, FLAIR));
      expect(image.data.length).toBe(COLUMNS * ROWS * 12);
      expect(new Set(image.data).size).toBe(image.data.length);
      expect(farthest(image)).toBeLessThan(1e-3);
      expect(acquisition).toEqual({
        ...{ seriesNumber: 5, description: FLAIR.description },
        ...{ manufacturer: "Siemens", model: "Skyra", fieldStrength: 3, sliceThickness: 3 },
        date: { year: 2015, month: 3, day: 2 },
      });
      expect(acquisitionText(acquisition!)).toBe("Siemens Skyra 3 T, 2015-03-02, slices of 3 mm");
      expect(image.notes.at(-1)).toInclude("series 5");
      expect(readdirSync(join(root, "cache", "dicom"))).toEqual([]);
    });

    test.each<readonly [string, Partial<MadeSeries>]>([
      ["sagittal", { acquisition: "3D", orientation: [0, 1, 0, 0, 0, -1] }],
      ["coronal", { orientation: [1, 0, 0, 0, 0, -1] }],
      ["in JPEG lossless", { isCompressed: true }],
    ])("so is one that is %s", async (_, change) => {
      const series = { ...FLAIR, ...change };
      const { image } = await read(study(series));
      expect(new Set(image.data).size).toBe(COLUMNS * ROWS * 12);
      expect(farthest(image, series)).toBeLessThan(1e-3);
    });

    test("a .zip is the same", async () => {
      const { image } = await read(zipFile(...filesOf(T1), ...filesOf(FLAIR)));
      expect(farthest(image)).toBeLessThan(1e-3);
      expect(readdirSync(join(root, "cache", "dicom"))).toEqual([]);
    });

    test("two FLAIR: both are listed, and a number or a subfolder chooses", async () => {
      const folder = newFolder();
      const other = { ...FLAIR, number: 7, description: "FLAIR_3D_KM", date: "20150303" };
      writeSeries(join(folder, "a"), FLAIR);
      writeSeries(join(folder, "b"), other);
      const refusal = await message(read(folder));
      expect(refusal).toInclude("2 series are a FLAIR; choose one with --series N");
      expect(refusal).toMatch(/ 5 +t2_tirm_tra_dark-fluid +2D +24×20×12 .* 9000\/100\/2500 /);
      expect(refusal).toMatch(/ 7 +FLAIR_3D_KM .* 2015-03-03 +FLAIR/);
      expect((await read(folder, 7)).acquisition?.seriesNumber).toBe(7);
      expect((await read(join(folder, "a"))).acquisition?.seriesNumber).toBe(5);
      expect(await message(read(folder, 9))).toInclude("there is no series 9");
      expect(readdirSync(join(root, "cache", "dicom"))).toEqual([]);
    });

    test("a file that is cut off, slices that are missing", async () => {
      const cut = study(T1, FLAIR);
      truncateSync(join(cut, "s5_004.dcm"), 1500);
      expect(await message(read(cut))).toInclude("s5_004.dcm in it is cut off");
      const torn = study(FLAIR);
      rmSync(join(torn, "s5_004.dcm"));
      expect(await message(read(torn))).toInclude("some are missing");
      // Cut within its header a file is none of the series any more.
      const short = study(T1, FLAIR);
      truncateSync(join(short, "s5_011.dcm"), 700);
      const { image } = await read(short);
      expect(image.notes[0]).toInclude("1 of its 24 DICOM files gave no image");
      truncateSync(join(short, "s5_011.dcm"), 0);
      expect(await message(read(short))).toInclude("s5_011.dcm: is empty");
    });

    test("two patients, no DICOM, nothing at all", async () => {
      const two = study(FLAIR, { ...T1, patient: "P2" });
      const refusal = await message(read(two));
      expect(refusal).toInclude("holds images of 2 patients");
      expect(refusal).not.toInclude("P2");
      const none = zipFile({ name: "README", bytes: Buffer.alloc(1000, "text ") });
      expect(await message(read(none))).toInclude("there is no DICOM image in it");
      expect(await message(read(zipFile()))).toInclude("there is no DICOM image in it");
    });
  });
}

/** The line that it is refused with. */
async function message(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    expect((error as Error).name).toBe("UserError");
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe("the converter", () => {
  const slow = { name: "slow", command: ["sh", "-c", "exec sleep 60"] };

  test("has a time limit", async () => {
    const work = convert(slow, root, root, "STUDY", { limitSeconds: 0.1 });
    expect(await message(work)).toStartWith("STUDY: slow did not end within 0.1 s");
  });

  test("ends by a signal, and leaves nothing", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const work = readScan(study(FLAIR), { converter: slow, signal });
    setTimeout(() => controller.abort(new Error("stop")), 50);
    await expect(work).rejects.toThrow("stop");
    expect(readdirSync(join(root, "cache", "dicom"))).toEqual([]);
  });

  test("its failure is one line with its own words", async () => {
    const command = ["sh", "-c", "echo 'Error: no codec'; exit 1"];
    const work = convert({ name: "broken", command }, root, emptyFolder(), "STUDY");
    expect(await message(work)).toInclude("broken converts none of it (code 1: Error: no codec)");
  });
});

describe("a .zip", () => {
  const bytes = Buffer.alloc(100_000);
  const refused = (...parts: Parameters<typeof zipOf>[0]) => {
    const converter = { name: "none", command: ["true"] };
    return message(readScan(zipFile(...parts), { converter }));
  };

  test("of 6 GiB by its directory is refused before it is unpacked", async () => {
    const huge = { bytes, promised: 3 * 2 ** 30 };
    const refusal = await refused({ name: "a", ...huge }, { name: "b", ...huge });
    expect(refusal).toInclude("more than 50000 files or 4 GiB unpacked");
  });

  test("whose file is longer than its directory says, is damaged or cut off", async () => {
    expect(await refused({ name: "a", bytes, promised: 10 })).toInclude("damaged zip archive");
    expect(await refused({ name: "a", bytes, checksum: 1 })).toInclude(
      "the checksum of a is wrong",
    );
    const path = zipFile({ name: "a", bytes });
    truncateSync(path, 100);
    expect(await message(readScan(path))).toInclude("damaged zip archive");
  });

  test("cannot write outside its folder", async () => {
    const refusal = await refused({ name: "../../outside", bytes });
    expect(refusal).toInclude("damaged zip archive");
    expect(existsSync(join(root, "cache", "outside"))).toBe(false);
  });
});

const hasConverter = converters.some(([, converter]) => converter);
describe.skipIf(!hasConverter)("the commands", () => {
  const weights = join(root, "weights.safetensors");

  test("predict takes a folder and a .zip, names the scanners and keeps them in its report", async () => {
    writeSafetensors({ path: weights, ...weightsContents() });
    const later = { ...FLAIR, date: "20160405" };
    const [mask, report] = [join(root, "mask.nii.gz"), join(root, "report.json")];
    const visits = ["-t1", study(T1, FLAIR), "-t2", zipFile(...filesOf(later))];
    const outputs = ["-o", mask, "--report", report, "--tune", "off"];
    const { err, code } = await runDocumented("predict", ...visits, "-w", weights, ...outputs);
    expect(code, err).toBe(0);
    expect(err).toInclude("visit 1: Siemens Skyra 3 T, 2015-03-02, slices of 3 mm\n");
    expect(err).toInclude("visit 2: Siemens Skyra 3 T, 2016-04-05, slices of 3 mm\n");
    expect((await readVolume(mask)).size).toEqual([...FLAIR.size]);
    const { acquisitions } = JSON.parse(readFileSync(report, "utf8"));
    expect(acquisitions[1]).toMatchObject({
      model: "Skyra",
      date: { year: 2016, month: 4, day: 5 },
    });
    expect(readdirSync(join(root, "cache", "dicom"))).toEqual([]);
  });

  test("register lists the series where the FLAIR is not certain, and takes --series", async () => {
    const [one, two] = [study(T1), study(T1, FLAIR)];
    const out = ["--out", join(root, "registered")];
    await expectRefusalOf(
      /^voxgrad: \S+: no series is certainly the FLAIR; choose one with --series N/m,
      ...["register", one, two, ...out],
    );
    const chosen = [one, two, "--series", "3,6", ...out];
    await expectRefusalOf(/there is no series 6; choose one of these/, "register", ...chosen);
    const wrong = [one, two, "--series", "x", ...out];
    await expectRefusalOf(/--series.*expected the number of a series/s, "register", ...wrong);
    await expectRefusalOf(/no such file; give a NIfTI/, "register", `${one}-not`, two, ...out);
  });
});
