/**
 * The page that predicts by itself, in Chromium on SwiftShader: the command line's answer, its downloads,
 * no request to anywhere else, without a network, without WebGPU. Left out where no Chromium can be had.
 * Pictures of the page stay in runs/web-screenshots.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readMask, readVolume } from "../src/data/nifti_read";
import { openDevice } from "../src/hosts/bun";
import { decisionsSchema } from "../src/result/decisions";
import { loadModels } from "../src/run/models";
import { predictFiles } from "../src/run/predict_pair";
import { SHIPPED, shippedFiles } from "../src/run/shipped_weights";
import { Work } from "../src/web/page/work";
import { openBrowser, type TestBrowser, type TestPage, until, WITH_WEBGPU } from "./browser_rig";
import { once } from "./once";
import {
  choose,
  download,
  find,
  MAPS_APART,
  servedSite,
  serveSite,
  shots,
  visit,
  writeSmallPair,
} from "./web_rig";

const { root, site, server, end } = await servedSite("web");
const browser: TestBrowser | string = await openBrowser(WITH_WEBGPU);
const pair = once(() => writeSmallPair(root));
afterAll(() => end(browser));

/** As the command line predicts. */
const wanted = once(async () => {
  const [t1, t2] = await pair();
  const models = loadModels([SHIPPED], {});
  const request = { t1, t2, models, precision: "f32", tune: "off", tuneSeconds: 1 } as const;
  return predictFiles(request, () => openDevice({ adapter: "lavapipe" }), { note: () => {} });
});

function farthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

const ours = (url: string) => url.startsWith(server.url.href) || url.startsWith("blob:");

test("the site is a few static files: scripts below 4 MB, a policy that lets nothing out", () => {
  const scripts = [...site.files].filter(([name]) => name.endsWith(".js"));
  const bytes = scripts.reduce((sum, [, { length }]) => sum + length, 0);
  expect(scripts.length).toBe(4);
  expect(bytes).toBeLessThan(4_000_000);
  const html = readFileSync(join(site.folder, "index.html"), "utf8");
  expect(html).toContain(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'",
  );
  expect(html).toContain("connect-src 'self'");
  expect(html).not.toMatch(/https?:|<script(?! type="module" src="page.js"><)| style=| on\w+=/);
  const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  const there = names.filter((name) => name !== "data:,");
  expect(there.filter((name) => !site.files.has(name))).toEqual([]);
});

test("WebGPU's default limits suffice: the same map on a device that was asked for no more", async () => {
  const [t1, t2] = await pair();
  const device = await openDevice({ adapter: "lavapipe", limits: "default" });
  const { limits } = device;
  expect(limits.maxStorageBufferBindingSize).toBe(128 * 2 ** 20);
  expect(limits.maxStorageBuffersPerShaderStage).toBe(8);
  expect(limits.maxComputeInvocationsPerWorkgroup).toBe(256);
  const files = shippedFiles().map(({ path, shipped: { name, sha256 } }) => {
    return { name, sha256, bytes: new Uint8Array(readFileSync(path)) };
  });
  const work = await Work.open(device, files);
  await work.compile();
  const compiled = work.memory.pipelines.size;
  const [one, two] = [await readVolume(t1), await readVolume(t2)];
  const scans = [
    { path: "one.nii.gz", image: one },
    { path: "two.nii.gz", image: two },
  ] as const;
  const { probability, mask, record } = await work.predict(
    { scans, patient: "p", pair: 1 },
    { note: () => {} },
  );
  const answer = await wanted();
  expect(farthest(probability!.data, answer.map.data)).toBeLessThanOrEqual(MAPS_APART);
  expect(mask.data).toEqual(answer.findings.mask.data);
  expect(record.weights).toEqual(files.map(({ name, sha256 }) => ({ name, sha256 })));
  // The network's kernels were there before the pair.
  expect(compiled).toBeGreaterThan(5);
  device.destroy();
});

describe.skipIf(typeof browser === "string")(
  `in Chromium${typeof browser === "string" ? ` (${browser})` : ""}`,
  () => {
    test("the command line's answer, downloads, and no request to anywhere", async () => {
      const { page, requests, problems } = await visit(browser as TestBrowser, server.url.href);
      expect(await page.textContent("#graphics")).toContain("Ready");
      await shots(page, "start");
      const before = requests.length;
      await choose(page, await pair());
      await page.fill("#run-patient", "p <1>");
      await page.evaluate(`document.querySelector("#find").click()`);
      await page.evaluate(`document.querySelector("#cancel").click()`);
      await until(page, `!document.querySelector("#find").hidden`);
      expect(await page.textContent("#run-error")).toBe("");
      expect(await page.evaluate(`document.body.hasAttribute("data-preview")`)).toBe(true);
      await cancelAmongWindows(page);
      await find(page, 300);
      expect(await page.textContent("#patient")).toBe("p <1>");
      await shots(page, "result");
      const answer = await wanted();
      const map = await readVolume(await download(page, "probability", root));
      expect(farthest(map.data, answer.map.data)).toBeLessThanOrEqual(MAPS_APART);
      expect(map.affine).toEqual((await readVolume((await pair())[0])).affine);
      const mask = await readMask(await download(page, "mask", root));
      expect(mask.data).toEqual(answer.findings.mask.data);
      expect(mask.data.includes(1)).toBe(true);
      await rejectFirst(page, answer.findings.mask.data);
      expect(problems).toEqual([]);
      expect(requests.filter((url) => !ours(url))).toEqual([]);
      expect(requests.slice(before).filter((url) => !url.startsWith("blob:"))).toEqual([]);
    });

    test("neither the page nor its worker can reach another address", async () => {
      let asked = 0;
      const fetched = () => {
        asked++;
        return new Response("", { headers: { "Access-Control-Allow-Origin": "*" } });
      };
      const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: fetched });
      const { page } = await visit(browser as TestBrowser, server.url.href);
      const call = `fetch("${other.url}").then(() => "reached", () => "refused")`;
      expect(await page.evaluate<string>(call)).toBe("refused");
      const worker = `new Promise((told) => {
        const code = ${JSON.stringify(`${call}.then(postMessage)`)};
        const url = URL.createObjectURL(new Blob([code]));
        new Worker(url).onmessage = ({ data }) => told(data);
      })`;
      expect(await page.evaluate<string>(worker)).toBe("refused");
      expect(asked).toBe(0);
      await other.stop(true);
    });

    test("it opens without a network after the first visit", async () => {
      const own = serveSite(site.folder);
      const { page } = await visit(browser as TestBrowser, own.url.href);
      await page.evaluate(`navigator.serviceWorker.ready.then(() => undefined)`);
      await own.stop(true);
      await page.reload();
      await until(page, `document.querySelector("#graphics").dataset.state === "ready"`, 120);
      await choose(page, await pair());
    });
  },
);

/** Begins a prediction, and cancels it when the first windows are done. */
async function cancelAmongWindows(page: TestPage): Promise<void> {
  await page.evaluate(`{
    const [count, cancel] = ["run-count", "cancel"].map((id) => document.getElementById(id));
    const seen = new MutationObserver(() => {
      if (!count.textContent) return;
      globalThis.cancelledAt = count.textContent;
      seen.disconnect();
      cancel.click();
    });
    seen.observe(count, { childList: true, characterData: true, subtree: true });
    document.getElementById("find").click();
  }`);
  await until(page, `globalThis.cancelledAt && !document.querySelector("#find").hidden`, 300);
  expect(await page.evaluate<string>("cancelledAt")).toMatch(/^window \d+ of \d+/);
  expect(await page.textContent("#run-error")).toBe("");
  expect(await page.evaluate(`document.body.hasAttribute("data-preview")`)).toBe(true);
}

/** A lesion that is rejected is not in the mask, and stands in decisions and report. */
async function rejectFirst(page: TestPage, before: Uint8Array): Promise<void> {
  await page.click("#lesions li:first-child button.rejected");
  const json = readFileSync(await download(page, "decisions", root), "utf8");
  const decisions = decisionsSchema.parse(JSON.parse(json));
  expect(decisions.lesions[0]).toMatchObject({ id: 1, decision: "rejected" });
  expect(decisions.weights[0]!.name).toBe("flair-new-lesions.safetensors");
  const { data } = await readMask(await download(page, "mask", root));
  const count = (mask: Uint8Array) => mask.reduce((sum, value) => sum + value, 0);
  expect(count(data)).toBeLessThan(count(before));
  expect(data.every((value, i) => value <= before[i]!)).toBe(true);
  const path = await download(page, "report", root);
  expect(path).toEndWith("p_1__report.html");
  const html = readFileSync(path, "utf8");
  expect(html).toContain("p &lt;1&gt;");
  expect(html).toContain("found by the program and rejected by the reader: 1");
}

test("without WebGPU it says so in a sentence, and shows the scans", async () => {
  const plain = await openBrowser();
  if (typeof plain === "string") return;
  const { page, problems } = await visit(plain, server.url.href);
  expect(await page.textContent("#graphics")).toContain("offers no WebGPU");
  await shots(page, "no-webgpu-start");
  await choose(page, await pair());
  expect(await page.evaluate(`document.querySelector("#find").disabled`)).toBe(true);
  expect(await page.textContent("#run-stage")).toContain("offers no WebGPU");
  await shots(page, "no-webgpu");
  expect(problems).toEqual([]);
  await plain.close();
});
