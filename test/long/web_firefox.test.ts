/**
 * The page that predicts by itself, in Firefox on lavapipe: the command line's answer. Left out where there is
 * no Firefox, or no lavapipe.
 */
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { readMask, readVolume } from "../../src/data/nifti_read";
import { openDevice } from "../../src/hosts/bun";
import { loadModels } from "../../src/run/models";
import { predictFiles } from "../../src/run/predict_pair";
import { SHIPPED } from "../../src/run/shipped_weights";
import { openFirefox } from "../firefox_rig";
import { MAPS_APART, madeFile, servedSite, writeSmallPair } from "../web_rig";

const { root, server, end } = await servedSite("firefox");
const browser = await openFirefox();
afterAll(() => end(browser));

const why = typeof browser === "string" ? ` (${browser})` : "";
test.skipIf(typeof browser === "string")(
  `Firefox gives the command line's answer${why}`,
  async () => {
    if (typeof browser === "string") throw new Error(browser);
    const [t1, t2] = await writeSmallPair(root);
    const page = await browser.newPage();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(server.url.href);
    const until = async (expression: string) => {
      while (!(await page.evaluate<boolean>(`Boolean(${expression})`))) await Bun.sleep(200);
    };
    await until(`document.querySelector("#graphics").dataset.state`);
    const text = await page.evaluate(`document.querySelector("#graphics").textContent`);
    expect(text).toContain("Ready");
    for (const [i, path] of [t1, t2].entries()) {
      await (await page.$(`#slots .slot:nth-child(${i + 1}) input`))!.uploadFile(path);
    }
    await until(`document.body.hasAttribute("data-preview")`);
    await page.evaluate(`document.querySelector("#find").click()`);
    await until(`document.querySelector("#answer").textContent.includes("lesion")`);
    const kept = async (kind: string) => {
      const path = join(root, `${kind}.nii.gz`);
      await Bun.write(path, await madeFile(page, kind));
      return path;
    };
    const models = loadModels([SHIPPED], {});
    const request = { t1, t2, models, precision: "f32", tune: "off", tuneSeconds: 1 } as const;
    const open = () => openDevice({ adapter: "lavapipe" });
    const { map, findings } = await predictFiles(request, open, { note: () => {} });
    const own = await readVolume(await kept("probability"));
    const apart = own.data.reduce((most, v, i) => Math.max(most, Math.abs(v - map.data[i]!)), 0);
    expect(apart).toBeLessThanOrEqual(MAPS_APART);
    expect((await readMask(await kept("mask"))).data).toEqual(findings.mask.data);
    const foreign = requests.filter(
      (url) => !url.startsWith(server.url.href) && !url.startsWith("blob:"),
    );
    expect(foreign).toEqual([]);
  },
);
