/** A reproduction for people who get bug reports: its page in Chromium and Firefox, and the texts for trackers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { HostName } from "../src/portability/host";
import { bun } from "../src/portability/hosts/bun";
import { DEFECTS } from "../src/portability/mutants";
import type { Dissection } from "../src/portability/packed";
import { faultOn, mutated, single } from "../src/portability/reduce";
import { Column } from "../src/portability/runner";
import { writeFolder } from "../src/portability/standalone";
import { trackerReports } from "../src/portability/tracker_reports";
import { openBrowser, until, WITH_WEBGPU } from "./browser_rig";
import { openFirefox } from "./firefox_rig";

const WORKER = join(import.meta.dir, "..", "src", "portability", "worker.ts");
const ID = "groupNorm.backward/c4g2_odd@20";
const DEFECT = DEFECTS.find(({ kernel }) => kernel === "group_norm_dx")!;

const { adapters } = await bun.adapters();
const adapter = adapters.find(({ kind }) => kind === "lavapipe") ?? adapters[0]!;
const column = new Column(bun, adapter, { worker: WORKER, timeout: 120 });
const chromium = await openBrowser(WITH_WEBGPU);
const firefox = await openFirefox();
const folder = mkdtempSync(join(tmpdir(), "voxgrad-reproduction-"));

let right: Dissection;

beforeAll(async () => {
  const reply = await column.ask({ do: "dissect", id: ID });
  if (!("dissection" in reply)) throw new Error("no dissection");
  right = reply.dissection;
});

afterAll(async () => {
  await column.stop();
  for (const browser of [chromium, firefox]) {
    if (typeof browser !== "string") await browser.close();
  }
  rmSync(folder, { recursive: true });
});

/** The dispatch of the kernel with the defect, with or without it. */
async function finding(planted: boolean) {
  const dissection = planted ? mutated(right, DEFECT) : right;
  const at = dissection.packed.dispatches.findIndex(({ kernel }) => kernel === DEFECT.kernel);
  const one = single(dissection, at, "the same");
  const fault = await faultOn(column, one);
  const summary = fault?.text ?? "it comes out right";
  return { ...one, summary, examples: fault?.examples, wrongRuns: [1, 1] as const };
}

const BROWSERS = [
  ["Chromium", chromium, /^browser: Mozilla.*Chrom.*\nadapter: .*swiftshader/i],
  ["Firefox", firefox, /^browser: Mozilla.*Firefox/],
] as const;

describe.each(BROWSERS)("the page of a reproduction, in %s", (name, browser, facts) => {
  const why = typeof browser === "string" ? ` (${name}: ${browser})` : "";
  test.skipIf(typeof browser === "string").each([
    ["FAILED", true],
    ["PASSED", false],
  ] as const)(`from disk it says %s${why}`, async (verdict, planted) => {
    if (typeof browser === "string") return;
    const found = await finding(planted);
    writeFolder(folder, ID, column, found);
    const page = await browser.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const { href } = pathToFileURL(join(folder, "reproduce.html"));
    await page.goto(href);
    await until(page, "/PASSED|FAILED/.test(document.title)", 120);
    const textOf = (selector: string) =>
      page.evaluate<string>(`document.querySelector("${selector}").textContent`);
    const text = await textOf("#output");
    expect(text).toContain(`${verdict}: the results are ${planted ? "wrong" : "right"}`);
    expect(text).toMatch(facts);
    if (planted)
      expect(text).toMatch(/dx: \d+ of \d+ elements are wrong\n {2}\[\d+\] is .*, should be/);
    // Firefox does not tell of files, but of a font of its own.
    expect(asked.filter((url) => url !== href && !url.startsWith("data:"))).toEqual([]);
    expect(await textOf("h1")).toBe(`group_norm_dx: ${found.summary}`);
  });
});

test("each project gets a report with the headings of its template, and the facts", async () => {
  const found = await finding(true);
  expect(found.examples!.length).toBeGreaterThan(0);
  const lavapipe = { ...adapter, kind: "lavapipe", driver: "llvmpipe: Mesa 25.0.7" } as const;
  const swiftshader = { ...adapter, kind: "swiftshader", driver: "SwiftShader 5" } as const;
  const reportsOf = (name: HostName, driver: typeof lavapipe | typeof swiftshader) => {
    const seen = new Column({ ...bun, name, adapters: bun.adapters, start: bun.start }, driver, {
      ...{ worker: WORKER, timeout: 1 },
    });
    return new Map(trackerReports(ID, seen, found).map((each) => [each.project, each.text]));
  };
  const [inBun, inDeno] = [reportsOf("bun", lavapipe), reportsOf("deno", lavapipe)];
  const inChromium = reportsOf("chromium", swiftshader);
  expect([...inBun.keys()]).toEqual(["Mesa", "Dawn"]);
  expect([...inDeno.keys()]).toEqual(["Mesa", "wgpu"]);
  expect([...inChromium.keys()]).toEqual(["Dawn", "Chromium"]);
  for (const text of [...inBun.values(), ...inDeno.values(), ...inChromium.values()]) {
    expect(text).toContain(found.examples![0]!);
    expect(text).toContain(ID);
    expect(text).toContain("1 of 1 runs");
    expect(text).not.toMatch(/undefined|\[object/);
  }
  expect(inBun.get("Mesa")).toMatch(/### System information[\s\S]*Mesa version: 25\.0\.7/);
  expect(inDeno.get("wgpu")).toMatch(/\*\*Repro steps\*\*\s+1\. .*deno run/);
  expect(inChromium.get("Chromium")).toMatch(/\*\*Steps to reproduce the problem\*\*/);
});

test("the folder holds the page, the program, and the reports that fit", async () => {
  writeFolder(folder, ID, column, await finding(true));
  const names = readdirSync(folder);
  expect(names).toContain("reproduce.html");
  expect(names).toContain("report_dawn.md");
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  for (const name of names.filter((each) => each.startsWith("report_"))) {
    expect(readme).toContain(`\`${name}\``);
  }
});
