/**
 * The time that `bun run view` takes to its first picture, of a made-up pair of 320×320×50 voxels, in Chromium on the
 * processor: the numbers of docs/guides/viewer.md. On Linux also the processor time of the viewer and of Chromium's
 * processes, which tells more than a clock where other programs run. bun bench/first_picture.ts [TIMES]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makePatient } from "../src/data/phantom/patient";
import type { Affine, Volume } from "../src/data/volume";
import { writeResult } from "../src/result/result_folder";
import { printResult } from "../src/terminal/result";
import { serveViewer } from "../src/viewer/server";
import { openBrowser, type TestPage, until } from "../test/browser_rig";
import { smallResult } from "../test/viewer_rig";

const SIZE = [320, 320, 50] as const;
/** Of a scan with such a grid, mm. */
const SPACING = [0.7, 0.7, 3] as const;
/** Ticks of flicker that are measured. */
const FLICKS = 10;

const [sx, sy, sz] = SPACING;
const affine: Affine = [sx, 0, 0, -112, 0, sy, 0, -112, 0, 0, sz, -75, 0, 0, 0, 1];

const root = mkdtempSync(join(tmpdir(), "voxgrad-first-picture-"));
const fieldOfView = [0.7 * SIZE[0], 0.7 * SIZE[1], 0.7 * SIZE[2]] as const;
const { visits } = makePatient({ seed: 3, spacing: 0.7, fieldOfView }, 0);
const small = smallResult({ size: SIZE, affine }, [
  [150, 150, 25],
  [180, 120, 30],
]);
const placed = (visit: Volume): Volume => ({ ...visit, affine });
await writeResult(join(root, "pair"), {
  ...small,
  visit1: placed(visits[0]),
  visit2: placed(visits[1]),
});
const server = await serveViewer([join(root, "pair")]);
const browser = await openBrowser();
if (typeof browser === "string") throw new Error(browser);

const [first, flicker]: [number[], number[]] = [[], []];
const spent = new Map<string, number[]>();
for (let n = 0; n < Number(process.argv[2] ?? 5); n++) {
  const page = await browser.newPage();
  await page.setViewportSize({ width: 1280, height: 720 });
  const before = processorTimes();
  await page.goto(server.url);
  await until(page, `document.querySelector("#lesions li[aria-current=true]")`, 120);
  // The clock of the page begins when its address is asked for.
  first.push(await shownAt(page));
  for (const [part, ms] of processorTimes()) {
    spent.set(part, [...(spent.get(part) ?? []), ms - (before.get(part) ?? 0)]);
  }
  for (let i = 0; i < FLICKS; i++) {
    const before = await page.evaluate<number>("performance.now()");
    await page.keyboard.press(" ");
    flicker.push((await shownAt(page)) - before);
  }
  // A page that stays open goes on drawing.
  await page.close();
}
printResult(
  `first picture of a fresh browser: ${first[0]!.toFixed(0)} ms; of the next: ${text(first.slice(1))}`,
);
for (const [part, times] of spent)
  printResult(`its processor time, ${part}: ${times[0]!.toFixed(0)} ms; ${text(times.slice(1))}`);
printResult(`flicker, key to picture: ${text(flicker)}`);
await browser.close();
await server.stop();
rmSync(root, { recursive: true });

/** When what the page has drawn is on the screen, ms: after the frame that follows it. */
function shownAt(page: TestPage): Promise<number> {
  const frame = "requestAnimationFrame";
  return page.evaluate(
    `new Promise((tell) => ${frame}(() => ${frame}(() => tell(performance.now()))))`,
  );
}

/** Processor time so far, ms: of this program, which serves, and of the browser's processes by their kind. */
function processorTimes(): Map<string, number> {
  const { user, system } = process.cpuUsage();
  const times = new Map([["viewer's program", (user + system) / 1000]]);
  const parents = new Map<number, number>();
  const own = new Map<number, readonly [kind: string, ms: number]>();
  const all = process.platform === "linux" ? readdirSync("/proc").map(Number) : [];
  for (const pid of all.filter(Number.isInteger)) {
    const [stat, command] = ["stat", "cmdline"].map((name) => contents(`/proc/${pid}/${name}`));
    if (!stat) continue;
    // After the name, which may hold anything: state, parent, …, ticks of 10 ms in user and in system mode.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    parents.set(pid, Number(fields[1]));
    const kind = /--type=([\w-]+)/.exec(command ?? "")?.[1] ?? "main";
    own.set(pid, [kind, 10 * (Number(fields[11]) + Number(fields[12]))]);
  }
  for (const [pid, [kind, ms]] of own) {
    if (pid === process.pid) continue;
    let above: number | undefined = pid;
    while (above !== undefined && above !== process.pid) above = parents.get(above);
    const name = `browser's ${kind} process`;
    if (above !== undefined) times.set(name, (times.get(name) ?? 0) + ms);
  }
  return times;
}

/** Of a process that may have ended meanwhile. */
function contents(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

function text(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const [least, middle, most] = [0, sorted.length >> 1, sorted.length - 1].map((i) =>
    sorted[i]!.toFixed(0),
  );
  return `${middle} ms in the median of ${sorted.length} (${least} to ${most})`;
}
