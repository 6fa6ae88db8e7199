/** Patients with lesions are counted in the first lines of a run; without any it is refused. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lesionLines } from "../src/run/lesion_counts";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { writeCohort } from "./faults/cohort";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-lesions-"));
const [some, none] = [join(folder, "some"), join(folder, "none")];
beforeAll(async () => {
  await writeCohort(some, 4, [2, 3]);
  await writeCohort(none, 3, [1, 2, 3]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const sizes = ["--preset", "small", "--filters", "4,8,8", "--groups", "4", "--patch", "16"];
const batches = ["--pool", "4", "--batch", "2", "--iterations", "2", "--tune", "off"];
const settings = ["train", ...sizes, ...batches] as const;

test("a cohort without any lesion is refused where patches around lesions are asked for", async () => {
  const out = join(folder, "refused");
  await expectRefusalOf(
    /^voxgrad: --positive 0\.5: none of the 2 pairs that train has a lesion.*give --positive 0$/m,
    ...[...settings, "--data", none, "--val", "p01", "--positive", "0.5", "--out", out],
  );
  expect(existsSync(out)).toBe(false);
});

test("with --positive 0 it trains, with a note that there is no Dice", async () => {
  const out = join(folder, "none-asked");
  const args = ["--data", none, "--val", "p01", "--positive", "0", "--out", out];
  const { err, code } = await runDocumented(...settings, ...args);
  expect(code).toBe(0);
  expect(err).toMatch(
    /^training patients: 2 \(0 with lesions, 2 without\); validation patients: 1/m,
  );
  expect(err).toMatch(/^no validation patient has a lesion: there is no Dice/m);
});

test("a run says who has lesions in its first lines", async () => {
  const out = join(folder, "told");
  const args = ["--data", some, "--val", "p01,p02", "--out", out, "--train-data", none];
  const { err, code } = await runDocumented(...settings, ...args);
  expect(code).toBe(0);
  const line =
    "training patients: 2 (1 with lesions, 1 without); further pairs: 1 (0 with lesions, 1 without); " +
    "validation patients: 2 (1 with lesions, 1 without)";
  const lines = err.split("\n");
  expect(lines).toContain(line);
  expect(lines.indexOf(line)).toBeLessThan(6);
  expect(err).not.toMatch(/there is no Dice/);
});

test("a lesion of the time-swapped twin counts", () => {
  const source = { lesions: [new Uint32Array(), Uint32Array.of(5)] };
  const prepared = { sources: [source], patients: [] };
  expect(lesionLines({ positive: 0.5 }, prepared, 0)[0]).toMatch(/1 with lesions, 0 without/);
});
