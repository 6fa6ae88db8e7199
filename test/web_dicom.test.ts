/**
 * DICOM dropped on the page that predicts by itself, in Chromium on SwiftShader: the answer is the command line's
 * for the same folders. Left out where no Chromium can be had.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readMask, readVolume } from "../src/data/nifti_read";
import { makePatient } from "../src/data/phantom/patient";
import type { Volume } from "../src/data/volume";
import { openDevice } from "../src/hosts/bun";
import { loadModels } from "../src/run/models";
import { predictFiles } from "../src/run/predict_pair";
import { SHIPPED } from "../src/run/shipped_weights";
import { openBrowser, type TestBrowser, type TestPage, until, WITH_WEBGPU } from "./browser_rig";
import { type MadeSeries, writeSeries } from "./dicom_rig";
import { download, find, MAPS_APART, servedSite, visit } from "./web_rig";

const { root, server, end } = await servedSite("web-dicom");
const browser: TestBrowser | string = await openBrowser(WITH_WEBGPU);
afterAll(() => end(browser));

/** An examination: a FLAIR of slices of 1 mm, and a T1 before it that is smaller. */
function examination(name: string, { data, size }: Volume, date: string): string {
  const [nx, ny] = size;
  const most = data.reduce((a, b) => Math.max(a, b), 0);
  const flair: MadeSeries = {
    ...{ number: 5, description: "t2_tirm_tra_dark-fluid", times: { tr: 9000, te: 100, ti: 2500 } },
    ...{ size, date, spacing: [1, 1, 1], orientation: [1, 0, 0, 0, 1, 0], origin: [-20, -22, -18] },
    value: (column, row, slice) =>
      Math.max(0, Math.round((2000 / most) * data[column + nx * (row + ny * slice)]!)),
  };
  const t1: MadeSeries = {
    ...{ ...flair, number: 3, description: "t1_mprage_sag", acquisition: "3D" },
    ...{ size: [24, 20, 12], times: { tr: 1900, te: 2.5, ti: 900 } },
  };
  const folder = join(root, name);
  writeSeries(join(folder, "a"), t1);
  writeSeries(join(folder, "b"), flair);
  return folder;
}

const { visits } = makePatient({ seed: 1, spacing: 1, fieldOfView: [40, 44, 36] }, 0);
const folders = [
  examination("first", visits[0], "20150302"),
  examination("second", visits[1], "20160418"),
] as const;

/** As a hand does it: paths of files and folders come from outside the browser. */
async function drop(page: TestPage, paths: readonly string[], at: string): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  const [x, y] = await page.evaluate<[number, number]>(`(() => {
    const { left, top, width, height } = document.querySelector(${JSON.stringify(at)}).getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  })()`);
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await cdp.send("Input.dispatchDragEvent", { type, x, y, data });
  }
}

const problem = async (page: TestPage): Promise<string> => {
  await until(page, `document.querySelector("#start-error").textContent`, 120);
  return (await page.textContent("#start-error"))!;
};

const isPreviewed = `document.body.hasAttribute("data-preview") && !document.querySelector("#reading").hidden`;

describe.skipIf(typeof browser === "string")(
  `in Chromium${typeof browser === "string" ? ` (${browser})` : ""}`,
  () => {
    test("two folders of DICOM: converted in the page, the FLAIR of each, the command line's answer", async () => {
      const { page, requests, problems } = await visit(browser as TestBrowser, server.url.href);
      await drop(page, folders, "#start h2");
      await until(page, isPreviewed, 120);
      const caption = `[...document.querySelectorAll(".visit figcaption")].map((e) => e.textContent)`;
      expect(await page.evaluate<string[]>(caption)).toEqual([
        "Visit 1 · 2015-03-02",
        "Visit 2 · 2016-04-18",
      ]);
      expect(await page.evaluate<boolean>(`document.querySelector("#doubt").hidden`)).toBe(true);
      await find(page, 300);
      const [t1, t2] = folders;
      const models = loadModels([SHIPPED], {});
      const request = { t1, t2, models, precision: "f32", tune: "off", tuneSeconds: 1 } as const;
      const open = () => openDevice({ adapter: "lavapipe" });
      const answer = await predictFiles(request, open, { note: () => {} });
      const map = await readVolume(await download(page, "probability", root));
      expect(map.affine).toEqual(answer.map.affine);
      const most = map.data.reduce((a, v, i) => Math.max(a, Math.abs(v - answer.map.data[i]!)), 0);
      expect(most).toBeLessThanOrEqual(MAPS_APART);
      const mask = await readMask(await download(page, "mask", root));
      expect(mask.data).toEqual(answer.findings.mask.data);
      const html = await Bun.file(await download(page, "report", root)).text();
      expect(html).toContain("2016-04-18");
      expect(html).toContain("Siemens Skyra 3 T");
      expect(problems).toEqual([]);
      const ours = (url: string) => url.startsWith(server.url.href) || url.startsWith("blob:");
      expect(requests.filter((url) => !ours(url))).toEqual([]);
    });

    test("what is not certain is said, with all series; so is what is no scan, and one examination twice", async () => {
      const { page, problems } = await visit(browser as TestBrowser, server.url.href);
      await drop(page, [join(folders[0], "a")], "#slots .slot:nth-child(1)");
      const uncertain = await problem(page);
      expect(uncertain).toMatch(
        /^a: no series is certainly the FLAIR; give the files of one series:/,
      );
      expect(uncertain).toMatch(/\n +3 +t1_mprage_sag +3D +24×20×12/);
      const zip = join(root, "visit.zip");
      writeFileSync(zip, "PK");
      await page.setInputFiles("#slots .slot:nth-child(1) input", zip);
      await until(
        page,
        `document.querySelector("#start-error").textContent.startsWith("visit.zip")`,
      );
      expect(await problem(page)).toBe("visit.zip: is an archive; unpack it, and drop the folder");
      // The files of a folder, chosen one by one, are one examination.
      const slices = Array.from({ length: 36 }, (_, i) =>
        join(folders[0], "b", `s5_${String(i).padStart(3, "0")}.dcm`),
      );
      await page.setInputFiles("#slots .slot:nth-child(1) input", slices);
      await until(page, `document.querySelector(".slot[data-filled]")`, 120);
      expect(await page.textContent(".slot[data-filled] em")).toBe("s5_000.dcm and 35 more");
      await drop(page, [folders[0]], "#slots .slot:nth-child(2)");
      await until(page, isPreviewed, 120);
      expect(await page.textContent("#doubt")).toContain("both visits are of one examination");
      expect(problems).toEqual([]);
    });
  },
);
