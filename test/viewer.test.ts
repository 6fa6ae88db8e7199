/** The viewer without a browser: who is answered, what a reader's work makes of the mask, and what is saved. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AXIS_ORDERS, applyAffine, invertAffine } from "../src/data/affine";
import { openCohort } from "../src/data/cohort";
import { readMask } from "../src/data/nifti_read";
import { loadPatient } from "../src/data/patient";
import type { Grid } from "../src/data/volume";
import type { Decisions } from "../src/result/decisions";
import { readDecisions, writeDecisions } from "../src/result/decisions_file";
import { RESULT_FILES } from "../src/result/record";
import { readRecord, writeResult } from "../src/result/result_folder";
import { between, disk } from "../src/viewer/page/brush";
import { Reading } from "../src/viewer/page/reading";
import { shownResult } from "../src/viewer/page/source";
import { fileIndex, studyOf } from "../src/viewer/page/study";
import { pageFiles } from "../src/viewer/page_files";
import { serveViewer, type ViewerServer } from "../src/viewer/server";
import { entryOf, findResults } from "../src/viewer/worklist";
import { smallResult } from "./viewer_rig";

const root = mkdtempSync(join(tmpdir(), "voxgrad-viewer-"));
const folder = join(root, "p1");
let server: ViewerServer;

beforeAll(async () => {
  await writeResult(folder, smallResult());
  server = await serveViewer([folder]);
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true });
});

const ask = (path: string, init?: RequestInit) => fetch(new URL(path, server.url), init);

function read(result = smallResult()): Reading {
  let minute = 0;
  const now = () => new Date(Date.UTC(2026, 0, 1, 0, minute++)).toISOString();
  return new Reading(studyOf(shownResult(result)), now, () => {});
}

describe("requests", () => {
  test("the page and its files are answered, with a strict policy", async () => {
    for (const [path, type] of [
      ["", /text\/html/],
      ["page.js", /javascript/],
      ["page.css", /text\/css/],
      ["results", /json/],
    ] as const) {
      const response = await ask(path);
      expect(response.status, path).toBe(200);
      expect(response.headers.get("content-type")!).toMatch(type);
      const policy = response.headers.get("content-security-policy")!;
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("connect-src 'self'");
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    }
  });

  test("a foreign Host, a foreign Origin and a wrong token are refused, also where decisions are saved", async () => {
    const { port } = new URL(server.url);
    const refused: [string, RequestInit][] = [
      ["", { headers: { Host: "evil.example" } }],
      ["", { headers: { Host: `evil.example:${port}` } }],
      ["results", { headers: { Origin: "http://evil.example" } }],
      ["results", { headers: { Origin: "null" } }],
      ["results", { headers: { Origin: `http://127.0.0.1:${Number(port) + 1}` } }],
      [`/${"x".repeat(32)}/`, {}],
      ["/", {}],
      ["/results", {}],
      ["results/0/decisions", { method: "PUT", headers: { Origin: "https://evil.example" } }],
    ];
    for (const [path, init] of refused) {
      const response = await ask(path, init);
      expect(response.status, JSON.stringify([path, init])).toBe(403);
      expect(await response.text()).not.toContain("p <b>");
    }
    const own = await ask("results", { headers: { Origin: new URL(server.url).origin } });
    expect(own.status).toBe(200);
  });

  test("no other file of the disk is served", async () => {
    writeFileSync(join(folder, "secret.txt"), "secret");
    for (const path of [
      "results/0/secret.txt",
      "results/0/result.json",
      "results/0/..%2f..%2fetc%2fpasswd",
      "results/0/%2e%2e/p1/mask.nii.gz",
      "results/1/mask.nii.gz",
      "results/-1/mask.nii.gz",
      "results/constructor/mask.nii.gz",
      "main.ts",
      "..%2fserver.ts",
    ]) {
      expect((await ask(path)).status, path).toBe(404);
    }
    expect((await ask("results/0/mask.nii.gz", { method: "DELETE" })).status).toBe(405);
    expect((await ask("results/0/mask.nii.gz")).status).toBe(200);
  });

  test("the address has a token of its own, and nothing listens but on this machine", async () => {
    const other = await serveViewer([folder]);
    expect(new URL(other.url).hostname).toBe("127.0.0.1");
    const token = (url: string) => new URL(url).pathname.split("/")[1]!;
    expect(token(other.url)).toMatch(/^[\w-]{32}$/);
    expect(token(other.url)).not.toBe(token(server.url));
    const { port } = new URL(other.url);
    await expect(serveViewer([folder], Number(port))).rejects.toThrow(/--port \d+: is taken/);
    await other.stop();
    await expect(fetch(other.url)).rejects.toThrow();
  });

  test("the script of the page is below 4 MB", async () => {
    const script = (await pageFiles()).get("page.js")!.body as string;
    expect(script.length).toBeLessThan(4_000_000);
    expect(script.length).toBeGreaterThan(100_000);
  });
});

describe("saving", () => {
  const put = (decisions: unknown, mask: Uint8Array<ArrayBuffer>) => {
    const form = new FormData();
    form.set("decisions", JSON.stringify(decisions));
    form.set("mask", new Blob([mask]));
    return ask("results/0/decisions", { method: "PUT", body: form });
  };
  const work = () => {
    const reading = read();
    reading.setReader("AB");
    reading.decide(1, "accepted");
    reading.decide(2, "rejected");
    reading.note(2, "a vessel");
    const stroke = reading.stroke(false, undefined);
    stroke.paint([fromFile(reading, 9, 9, 7)]);
    stroke.end();
    return reading.saved();
  };
  const bytes = (data: Uint8Array) => Uint8Array.from(data);

  test("the corrected mask lies beside the first, on its grid, voxel for voxel", async () => {
    const { decisions, corrected } = work();
    const response = await put(decisions, bytes(corrected.data));
    expect(await response.json()).toEqual({ saved: true });
    const first = await readMask(join(folder, RESULT_FILES.mask));
    const now = await readMask(join(folder, RESULT_FILES.corrected));
    expect(now.size).toEqual(first.size);
    expect(now.affine).toEqual(first.affine);
    const expected = first.data.slice();
    const at = (x: number, y: number, z: number) => x + 20 * (y + 24 * z);
    for (const [x, y] of [
      [12, 15],
      [13, 15],
      [12, 16],
      [13, 16],
    ] as const) {
      expected[at(x, y, 2)] = 0; // the rejected lesion
    }
    expected[at(9, 9, 7)] = 1; // what was drawn
    expect(now.data).toEqual(expected);
    expect(readDecisions(folder, readRecord(folder))).toEqual(decisions);
    expect(readdirSync(folder).filter((name) => name.startsWith(".voxgrad"))).toEqual([]);
  });

  test("decisions: lesion, decision, time, weights' hash, initials", async () => {
    const saved = JSON.parse(await readFile(join(folder, RESULT_FILES.decisions), "utf8"));
    expect(saved).toMatchObject({
      ...{ format: 1, result: "2026-01-02T03:04:05.000Z", reader: "AB", finished: null },
      weights: [{ name: "w.safetensors", sha256: "ab".repeat(32) }],
      lesions: [
        { id: 1, decision: "accepted" },
        { id: 2, decision: "rejected", note: "a vessel" },
        { id: 3, decision: "accepted", seed: 9 + 20 * (9 + 24 * 7) },
      ],
    });
    expect(saved.log.map(({ action }: { action: string }) => action)).toEqual([
      ...["accept", "reject", "note", "draw"],
    ]);
    expect(saved.log[1]).toEqual({
      ...{ time: "2026-01-01T00:01:00.000Z", action: "reject", lesion: 2, reader: "AB" },
    });
  });

  test("the report is the reader's: what was rejected is gone, what was drawn is in it", async () => {
    const response = await ask("results/0/report");
    expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style/);
    const html = await response.text();
    expect(html).toContain("Reading by reader AB not finished; so far: 2 new lesions");
    expect(html).toContain("found by the program and rejected by the reader: 1");
    expect(html).toContain("note on lesion 2 of the program’s list: a vessel");
    expect(html).toContain("drawn");
    expect(html.match(/<img /g)?.length).toBe(2);
    const reading = read();
    for (const id of [1, 2]) reading.decide(id, "rejected");
    reading.finish();
    const { decisions, corrected } = reading.saved();
    await put(decisions, bytes(corrected.data));
    const none = await (await ask("results/0/report")).text();
    expect(none).toContain("No new lesion on FLAIR at visit 2. Read by a reader on 2026-01-01.");
    expect(await readFile(join(folder, RESULT_FILES.readReport), "utf8")).toBe(none);
    expect(await readFile(join(folder, RESULT_FILES.report), "utf8")).toContain("2 new lesions");
    // For the tests after this one.
    const before = work();
    await put(before.decisions, bytes(before.corrected.data));
  });

  test("what does not fit is refused, and nothing on disk changes", async () => {
    const before = await readFile(join(folder, RESULT_FILES.decisions), "utf8");
    const { decisions, corrected } = work();
    const refused: [unknown, Uint8Array<ArrayBuffer>, number][] = [
      [decisions, bytes(corrected.data).slice(1), 400],
      [decisions, bytes(corrected.data).fill(2), 400],
      [{ ...decisions, result: "2020-01-01" }, bytes(corrected.data), 409],
      [{ ...decisions, lesions: [{ id: "x" }] }, bytes(corrected.data), 422],
      [{ ...decisions, reader: "x".repeat(1e5) }, bytes(corrected.data), 422],
      ["nothing", bytes(corrected.data), 422],
    ];
    for (const [json, mask, status] of refused) expect((await put(json, mask)).status).toBe(status);
    // A map of a result that came in place of the one that is read.
    expect((await ask("results/0/probability.nii.gz?created=2020-01-01")).status).toBe(409);
    const { created } = readRecord(folder);
    expect((await ask(`results/0/probability.nii.gz?created=${created}`)).status).toBe(200);
    const empty = await ask("results/0/decisions", { method: "PUT", body: new FormData() });
    expect(empty.status).toBe(400);
    expect(await readFile(join(folder, RESULT_FILES.decisions), "utf8")).toBe(before);
  });
});

/** The voxel of a reading at a place of the files. */
function fromFile(reading: Reading, x: number, y: number, z: number): number {
  const { grid, order } = reading.study;
  const size = [20, 24, 10];
  const old = [x, y, z];
  const at = order.axes.map((axis, t) =>
    order.flipped[t] ? size[axis]! - 1 - old[axis]! : old[axis]!,
  );
  const index = at[0]! + grid.size[0] * (at[1]! + grid.size[1] * at[2]!);
  expect(fileIndex(reading.study, index)).toBe(x + 20 * (y + 24 * z));
  return index;
}

test("in every order of the voxels a drawing is saved at its place in the world", () => {
  for (const axes of AXIS_ORDERS) {
    for (let flips = 0; flips < 8; flips++) {
      const affine = Array.from({ length: 16 }, () => 0);
      axes.forEach((world, axis) => {
        affine[4 * world + axis] = (axis + 1) * (flips & (1 << axis) ? -1 : 1);
        affine[4 * world + 3] = world * 5 - 3;
      });
      affine[15] = 1;
      const grid: Grid = { size: [7, 8, 9], affine };
      const result = smallResult(grid, [[1, 1, 1]]);
      const reading = read(result);
      const { grid: shown } = reading.study;
      const voxel = [2, 3, 5] as const;
      // The page's own order is right, anterior, superior.
      expect([shown.affine[0]! > 0, shown.affine[5]! > 0, shown.affine[10]! > 0]).toEqual([
        true,
        true,
        true,
      ]);
      const stroke = reading.stroke(false, undefined);
      stroke.paint([voxel[0] + shown.size[0] * (voxel[1] + shown.size[1] * voxel[2])]);
      stroke.end();
      const { corrected } = reading.saved();
      expect(corrected.size).toEqual(grid.size);
      expect(corrected.affine.map((v) => v + 0)).toEqual(affine.map((v) => v + 0));
      const [x, y, z] = applyAffine(invertAffine(affine), applyAffine(shown.affine, voxel)).map(
        Math.round,
      );
      const expected = result.mask.data.slice();
      expected[x! + 7 * (y! + 8 * z!)] = 1;
      expect(corrected.data, `${axes} ${flips}`).toEqual(expected);
    }
  }
});

describe("a reading", () => {
  test("strokes: one that touches a lesion belongs to it, any other is a new one; each is one step back", () => {
    const reading = read();
    const before = reading.labels.slice();
    const touching = fromFile(reading, 6, 4, 5);
    const stroke = reading.stroke(false, undefined);
    stroke.paint([touching]);
    stroke.paint([fromFile(reading, 7, 4, 5)]);
    stroke.end();
    expect(reading.lesions.get(1)!.voxels).toBe(14);
    expect(reading.lesions.size).toBe(2);
    const erasing = reading.stroke(true, undefined);
    erasing.paint([touching, fromFile(reading, 0, 0, 0)]);
    erasing.end();
    expect(reading.lesions.get(1)!.voxels).toBe(13);
    expect(reading.undo()).toBe(true);
    expect(reading.labels[touching]).toBe(1);
    expect(reading.undo()).toBe(true);
    expect(reading.labels).toEqual(before);
    expect(reading.undo()).toBe(false);
  });

  test("a rejected lesion is not in the mask, is neither erased nor extended, and comes back", () => {
    const reading = read();
    reading.decide(2, "rejected");
    const inside = fromFile(reading, 12, 15, 2);
    const erase = reading.stroke(true, undefined);
    erase.paint([inside]);
    erase.end();
    expect(reading.labels[inside]).toBe(2);
    expect(reading.saved().corrected.data.reduce((sum, v) => sum + v, 0)).toBe(12);
    reading.decide(2, "open");
    expect(reading.saved().corrected.data.reduce((sum, v) => sum + v, 0)).toBe(16);
    reading.undo();
    expect(reading.lesions.get(2)!.decision).toBe("rejected");
  });

  test("it is finished when nothing is undecided; what is done then opens it again", () => {
    const reading = read();
    expect(reading.finish()).toBe(false);
    reading.decide(1, "accepted");
    const erase = reading.stroke(true, undefined);
    erase.paint([...reading.labels.keys()].filter((i) => reading.labels[i] === 2));
    erase.end();
    expect(reading.finish()).toBe(true);
    expect(reading.saved().decisions.finished).not.toBeNull();
    reading.decide(1, "rejected");
    const { finished, log } = reading.saved().decisions;
    expect(finished).toBeNull();
    expect(log.map(({ action }) => action).slice(-3)).toEqual(["finish", "resume", "reject"]);
  });

  test("opened again it is as it was left", () => {
    const reading = read();
    reading.setReader("XY");
    reading.decide(1, "accepted");
    reading.decide(2, "rejected");
    reading.note(1, "sure");
    const draw = (...at: [number, number, number][]) => {
      const stroke = reading.stroke(false, undefined);
      stroke.paint(at.map((voxel) => fromFile(reading, ...voxel)));
      stroke.end();
    };
    draw([6, 4, 5]); // to lesion 1
    draw([12, 15, 2]); // over the rejected one
    draw([1, 20, 8], [2, 20, 8]); // apart
    reading.note(4, "drawn");
    const erase = reading.stroke(true, undefined);
    erase.paint([fromFile(reading, 3, 4, 5)]);
    erase.end();
    const { decisions, corrected } = reading.saved();
    const json = JSON.parse(JSON.stringify(decisions)) as Decisions;
    const again = new Reading(
      studyOf(shownResult({ ...smallResult(), decisions: json, corrected })),
      () => "later",
      () => {},
    );
    expect(again.labels).toEqual(reading.labels);
    expect([...again.lesions.values()]).toEqual([...reading.lesions.values()]);
    expect(again.saved().corrected).toEqual(corrected);
    expect(again.saved().decisions).toEqual(decisions);
  });

  test("a brush is a disk of mm in its plane, and a fast move leaves no gap", () => {
    expect(disk([5, 5, 5], "axial", 0.3, [10, 10, 10], [1, 1, 3])).toEqual([555]);
    expect(disk([5, 5, 5], "axial", 1, [10, 10, 10], [1, 1, 3]).length).toBe(5);
    expect(disk([5, 5, 5], "coronal", 2.9, [10, 10, 10], [1, 1, 3]).length).toBe(5);
    expect(disk([0, 0, 0], "sagittal", 1, [10, 10, 10], [1, 1, 1])).toEqual([0, 100, 10]);
    const way = between([0, 0, 0], [6, 3, 0]);
    expect(way.at(-1)).toEqual([6, 3, 0]);
    expect(way.length).toBe(6);
  });
});

test("a finished reading is a patient to train on, with the corrected mask as truth", async () => {
  const data = join(root, "data");
  for (const name of ["new", "begun", "done"]) await writeResult(join(data, name), smallResult());
  for (const name of ["begun", "done"]) {
    const reading = read();
    reading.decide(1, "accepted");
    if (name === "done") reading.decide(2, "rejected");
    expect(reading.finish()).toBe(name === "done");
    const { decisions, corrected } = reading.saved();
    await writeDecisions(join(data, name), decisions, corrected);
  }
  const { patients, notes } = await openCohort(data);
  expect(patients).toMatchObject([
    { id: "done", truth: join(data, "done", RESULT_FILES.corrected) },
  ]);
  expect(notes.join()).toMatch(/begun \(a result whose reading is not finished\)/);
  expect(notes.join()).toMatch(/new \(a result that nobody has read\)/);
  const { truth } = await loadPatient(patients[0]!);
  expect(truth.data.reduce((sum, v) => sum + v, 0)).toBe(12); // lesion 1
});

describe("worklist", () => {
  test("a folder of results is its patients, by what is done of them", async () => {
    const list = join(root, "list");
    mkdirSync(join(list, "no result"), { recursive: true });
    await writeResult(join(list, "b"), smallResult());
    await writeResult(join(list, "a"), smallResult());
    expect(findResults([list]).map((path) => path.slice(-1))).toEqual(["a", "b"]);
    expect(findResults([list, join(list, "a")]).length).toBe(2);
    expect(entryOf(join(list, "a"), "0")).toEqual({
      ...{ id: "0", patient: "p <b>1</b>", state: "new" },
      answer: "2 new lesions on FLAIR at visit 2, 30 mm³ in all.",
    });
    expect(entryOf(folder, "7").state).toBe("begun");
    writeFileSync(join(list, "b", RESULT_FILES.record), "{}");
    expect(entryOf(join(list, "b"), "1")).toMatchObject({ state: "unusable", patient: "b" });
    expect(() => findResults([join(list, "no result")])).toThrow(/holds no result.*--out-dir/);
    expect(() => findResults([join(root, "absent")])).toThrow(/no such folder/);
    expect(() => findResults([join(folder, RESULT_FILES.record)])).toThrow(/is a file/);
  });
});
