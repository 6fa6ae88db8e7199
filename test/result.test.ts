/** A result's folder, its report and its CSV: complete, true to the mask, and safe with any name. */
import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { writeSafetensors } from "../src/data/safetensors_file";
import type { Volume } from "../src/data/volume";
import { sliceView } from "../src/pictures/slice";
import { answerSentence, placeText } from "../src/result/answer_text";
import { escapeHtml } from "../src/result/escape_html";
import type { Result } from "../src/result/parts";
import { RESULT_FILES, type ResultLesion, type ResultRecord } from "../src/result/record";
import { lesionsCsv } from "../src/result/report_csv";
import { reportHtml } from "../src/result/report_html";
import { reportOf } from "../src/result/report_of";
import { readRecord, readResultMask } from "../src/result/result_folder";
import { fileNamesAfter, runIn } from "./result_rig";
import { weightsContents, writeVisits } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-result-"));
afterAll(() => rmSync(folder, { recursive: true }));

const lesion: ResultLesion = {
  ...{ id: 1, voxels: 42, volumeMm3: 42, centreMm: [-23.4, 12.2, 45] as [number, number, number] },
  ...{ side: "left" as const, probability: 0.83 },
};
const record: ResultRecord = {
  ...{ format: 1, program: "voxgrad 0", created: "2026-01-01T00:00:00Z", patient: "p" },
  ...{ kind: "network", visits: [{ name: "a.nii" }, { name: "b.nii" }], grid: "t1" },
  files: { mask: "mask.nii.gz", visit1: "visit1.nii.gz", visit2: "visit2.nii.gz" },
  ...{ weights: [], newLesions: true, rule: "", lesions: [lesion] },
  quality: { fit: true, lines: [] },
};
const many = (n: number) => Array.from({ length: n }, (_, i) => ({ ...lesion, id: i + 1 }));

test("the answer: exact to ten, then more than ten; none is said positively; doubt comes first", () => {
  const answer = (change: Partial<ResultRecord>) => answerSentence({ ...record, ...change });
  expect(answer({ lesions: [], newLesions: false })).toBe("No new lesion on FLAIR at visit 2.");
  expect(answer({})).toBe("1 new lesion on FLAIR at visit 2, 42 mm³ in all.");
  expect(answer({ lesions: many(10) })).toMatch(/^10 new lesions/);
  expect(answer({ lesions: many(11) })).toMatch(/^More than 10 new lesions/);
  expect(answer({ newLesions: false })).toMatch(/^No new lesion by the rule.*1 faint candidate/);
  expect(answer({ lesions: [] })).toMatch(/likely/);
  const quality = { fit: false, lines: ["NOT FIT: two people"] };
  expect(answer({ quality })).toMatch(/^NOT FIT: two people\. Without trust/);
  const nothing = answer({ quality, lesions: [], newLesions: false });
  expect(nothing).toMatch(
    /None was found on FLAIR at visit 2, which does not mean that there is none/,
  );
  for (const text of [nothing, answer({ quality, newLesions: false })]) {
    expect(text).not.toMatch(/no new lesion/i);
  }
  // A statistic that found nothing has not said that there is no lesion.
  const statistic = answer({ kind: "change", lesions: [], newLesions: false });
  expect(statistic).toMatch(/^No network was used/);
  expect(statistic).not.toMatch(/no new lesion/i);
  expect(placeText(lesion)).toBe("left · L 23 A 12 S 45");
});

const HOSTILE = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `' onmouseover='alert(1)`,
  `a&lt;b`,
  `\u202egpj.exe`,
  `x\u0000y\nz`,
  "n".repeat(5000),
];

test.each(HOSTILE.map((name) => [name.slice(0, 30), name]))(
  "a hostile name is text in the report and one cell in the CSV: %j",
  (_, name) => expectInert(name),
);

function expectInert(name: string): void {
  const hostile: ResultRecord = { ...record, ...named(name) };
  const html = reportHtml(hostile, [new Uint8Array([1])]);
  const tags = (text: string) => text.match(/<[^>]*>/g)!.map((tag) => tag.replace(/"data:.*"/, ""));
  const harmless = reportHtml({ ...record, ...named("x") }, [new Uint8Array([1])]);
  expect(tags(html)).toEqual(tags(harmless));
  expect(html).not.toMatch(/<script/i);
  for (const hidden of ["\u202e", "\u0000"]) expect(html.includes(hidden)).toBe(false);
  const [, ...rows] = parseCsv(lesionsCsv(hostile));
  expect(rows.length).toBe(1);
  expect(rows[0]!.length).toBe(9);
}

/** A record with one text in every place that a file or a person names. */
const named = (name: string): Partial<ResultRecord> => ({
  ...{ patient: name, program: name, created: name, rule: name },
  visits: [
    { name, scanner: name },
    { name, date: name },
  ],
  weights: [{ name, sha256: name }],
  quality: { fit: false, lines: [name] },
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cells = /("(?:[^"]|"")*"|[^,\r]*)(,|\r\n)/gy;
  for (const [, cell = "", end] of text.matchAll(cells)) {
    rows.at(-1)!.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

test("a spreadsheet computes no name", () => {
  const cell = (patient: string) => parseCsv(lesionsCsv({ ...record, patient }))[1]![0];
  expect(cell("=1+1")).toBe("'=1+1");
  expect(cell("@x")).toBe("'@x");
  expect(cell("-x")).toBe("'-x");
  expect(escapeHtml(`<a b="c">'&`)).toBe("&lt;a b=&quot;c&quot;&gt;&#39;&amp;");
});

test("coronal and sagittal slices: superior up, right and the nose on the left", () => {
  const grid = {
    size: [3, 4, 5],
    affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  } as const;
  const at = (plane: "coronal" | "sagittal", x: number, y: number) => {
    const i = sliceView(grid, plane).voxel(x, y, 0);
    return [i % 3, Math.floor(i / 3) % 4, Math.floor(i / 12)];
  };
  expect(at("coronal", 0, 0)).toEqual([2, 0, 4]);
  expect(at("coronal", 2, 4)).toEqual([0, 0, 0]);
  expect(at("sagittal", 0, 0)).toEqual([0, 3, 4]);
  expect(at("sagittal", 3, 4)).toEqual([0, 0, 0]);
});

const head = makePatient({ seed: 3, spacing: 2, fieldOfView: [160, 190, 160] }, 0).visits[0];

/** The head again with noise, and a bright ball. */
function later(): Volume {
  const random = new Philox(1, 3);
  const [nx, ny] = head.size;
  const data = head.data.map((v, i) => {
    const at = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
    const near = Math.hypot(at[0]! - 25, at[1]! - 55, at[2]! - 48) <= 2.2;
    return (near ? 1.8 * v : v) + 0.01 * v * random.normal();
  });
  return { ...head, data };
}

test("predict --out-dir without a network: all files, on one grid, and they belong together", async () => {
  const [a, b] = [join(folder, "a.nii.gz"), join(folder, "b.nii.gz")];
  await writeVolume(a, head);
  await writeVolume(b, later());
  const out = join(folder, "pat <1>");
  const csv = join(folder, "l.csv");
  const files = ["-t1", a, "-t2", b, "--out-dir", out, "--report", csv];
  const args = [...files, "--register", "off", "--weights", "none"];
  const { code, err } = await runIn(folder, "predict", ...args);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  expect(await fileNamesAfter(out)).toEqual(
    ["mask", "change", "visit1", "visit2", "record", "report"]
      .map((name) => RESULT_FILES[name as keyof typeof RESULT_FILES])
      .sort(),
  );
  const made = readRecord(out);
  expect(made).toMatchObject({ kind: "change", patient: "pat <1>", weights: [], grid: "t1" });
  expect(made.lesions.length).toBe(1);
  expect(made.lesions[0]!.side).toBe("left");
  const mask = await readResultMask(out, made);
  for (const name of ["visit1", "visit2", "change"] as const) {
    expect((await readVolume(join(out, RESULT_FILES[name]))).size, name).toEqual(mask.size);
  }
  const html = readFileSync(join(out, RESULT_FILES.report), "utf8");
  expect(html).toContain("pat &lt;1&gt;");
  expect(html).toContain("not a medical device");
  expect(html.match(/data:image\/png;base64,/g)?.length).toBe(1);
  expect(html).not.toMatch(/(src|href)="(?!data:)/);
  expect(readFileSync(csv, "utf8").split("\r\n").length).toBe(3);
  // Another mask beside the record is noticed.
  const other = await readMask(join(out, RESULT_FILES.mask));
  other.data[0] = 1;
  await writeMask(join(out, RESULT_FILES.mask), other);
  await expect(readResultMask(out, made)).rejects.toThrow(/holds 2 lesions, not the 1/);
  // A reader's decisions are not written over.
  writeFileSync(join(out, RESULT_FILES.decisions), "{}");
  const again = await runIn(folder, "predict", ...args);
  expect(again.code).toBe(2);
  expect(again.err).toMatch(/holds decisions\.json/);
});

test("predict --out-dir with a network: the map, the weights' hash, and reports of every kind", async () => {
  const weights = join(folder, "w.safetensors");
  writeSafetensors({ path: weights, ...weightsContents() });
  const out = join(folder, "net");
  const reports = ["r.html", "r.csv", "r.json"].map((name) => join(folder, name));
  const pair = await writeVisits(folder);
  const how = ["--weights", weights, "--tune", "off", "--threshold", "0.01", "--brain", "off"];
  const files = ["--out-dir", out, "--report", reports.join()];
  const { code, err } = await runIn(folder, "predict", ...pair, ...how, ...files);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  const made = readRecord(out);
  const sha256 = createHash("sha256").update(readFileSync(weights)).digest("hex");
  expect(made).toMatchObject({ kind: "network", weights: [{ name: "w.safetensors", sha256 }] });
  expect(made.files.probability).toBe(RESULT_FILES.probability);
  const mask = await readResultMask(out, made);
  expect(made.lesions.length).toBeGreaterThan(0);
  expect(mask.size).toEqual([12, 12, 12]);
  for (const path of reports) expect(readFileSync(path, "utf8").length, path).toBeGreaterThan(100);
  expect(readFileSync(reports[0]!, "utf8")).toContain(sha256);
  expect(JSON.parse(readFileSync(reports[2]!, "utf8")).lesions.length).toBe(made.lesions.length);
});

test("predict names at least one output, and one of a kind", async () => {
  const pair = ["-t1", "a.nii", "-t2", "b.nii"];
  expect((await runIn(folder, "predict", ...pair)).err).toMatch(/required option.*--out-dir/);
  const twice = await runIn(folder, "predict", ...pair, "-o", "m.nii", "--report", "a.html,b.htm");
  expect(twice.err).toMatch(/a\.html and b\.htm are of one kind/);
  expect(twice.code).toBe(2);
});

test("a record of another form is refused, and no result is one line", () => {
  expect(() => readRecord(folder)).toThrow(/no result.*--out-dir/);
  writeFileSync(join(folder, RESULT_FILES.record), JSON.stringify({ ...record, format: 9 }));
  expect(() => readRecord(folder)).toThrow(/result\.json: format is 9/);
  const escaping = { ...record, files: { ...record.files, mask: "../../etc/passwd" } };
  writeFileSync(join(folder, RESULT_FILES.record), JSON.stringify(escaping));
  expect(() => readRecord(folder)).toThrow(/files\.mask/);
  expect(existsSync(join(folder, "mask.nii.gz"))).toBe(false);
});

test("a report of two pages: at most six pictures, and the rest counted", () => {
  const size = [24, 24, 12] as const;
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const data = new Uint8Array(24 * 24 * 12);
  for (let i = 0; i < 12; i++)
    data.fill(1, 24 * 24 * i + 24 * 2 * (i % 10), 24 * 24 * i + 24 * 2 * (i % 10) + 3);
  const visit = { size, affine, data: Float32Array.from(data, (v, i) => 100 + v + (i % 7)) };
  const result: Result = {
    record: { ...record, lesions: many(12) },
    ...{ visit1: visit, visit2: visit, mask: { size, affine, data } },
  };
  const html = reportOf(result);
  expect(html.match(/<img /g)?.length).toBe(6);
  expect(html).toContain("6 more without pictures");
});
