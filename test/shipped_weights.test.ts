/** Weights that come with voxgrad: found and named, never silently; a file that is another is refused. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";
import { sha256Of } from "../src/run/file_hash";
import { createRunFolder } from "../src/run/run_folder";
import { modelCard, shippedFile, shippedFiles, shippedWeights } from "../src/run/shipped_weights";
import { loadWeights } from "../src/run/weights_file";
import { makeTrainConfig } from "../src/settings/presets";
import { expectRefusal, run, runDocumented, succeed } from "./cli_rig";
import { weightsContents, writeVisits } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-shipped-"));
const shipped = join(folder, "weights");
const trained = join(folder, "runs", "a");
const file = join(shipped, "tiny-1.safetensors");
let visits: string[] = [];

const config = makeTrainConfig("small", {
  ...{ filters: [4, 4, 4], groups: 2, spacing: 2, patch: 8, stride: 6, iterations: 7, seed: 3 },
});
const about = ["--trained-on", "noise, for a test", "--licence", "CC BY 4.0"];

beforeAll(async () => {
  process.env.VOXGRAD_WEIGHTS = shipped;
  visits = await writeVisits(folder);
  mkdirSync(join(folder, "empty"));
  createRunFolder(trained, config, { data: "/home/me/DATA", train: ["p1", "p2"], val: ["p3"] });
  writeSafetensors({ path: join(trained, "best.safetensors"), ...weightsContents() });
});
afterAll(() => {
  delete process.env.VOXGRAD_WEIGHTS;
  rmSync(folder, { recursive: true });
});

/** `predict` in a folder without runs. */
async function predict(...args: string[]) {
  const script = join(import.meta.dir, "../src/cli/predict.ts");
  const words = [script, ...visits, "-o", join(folder, "o.nii.gz"), "--tune", "off", ...args];
  const at = { cwd: join(folder, "empty"), env: process.env } as const;
  const child = Bun.spawn([process.execPath, ...words], { ...at, stdout: "pipe", stderr: "pipe" });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()] as const;
  const [out, err] = await Promise.all(texts);
  return { out, err, code: await child.exited };
}

test("without an index: none are listed, no card, and predict answers as before", async () => {
  expect((await succeed("weights", "list")).out).toMatch(/^no weights come with this voxgrad/);
  await expectRefusal(/MODEL_CARD\.md: there is no model card/, "weights", "card");
  const named = await predict("--weights", "shipped");
  expect(named).toMatchObject({
    code: 2,
    err: expect.stringMatching(/no such weights .*there: none/),
  });
  const unnamed = await predict();
  expect(unnamed.err).toMatch(/NO NETWORK|the statistic needs the brain/);
});

test("export writes the file with all that is to be known of it, and names it", async () => {
  const recipe = join(folder, "recipe.sh");
  writeFileSync(recipe, "bun run train\n");
  const name = ["--name", "tiny-1", "--recipe", recipe];
  const { out } = await runDocumented("weights", "export", trained, ...name, ...about);
  expect(out).toContain(`${file}: SHA-256 ${sha256Of(file)}`);
  const { metadata, tensors } = readSafetensors(file);
  expect(tensors).toEqual(readSafetensors(join(trained, "best.safetensors")).tensors);
  const told = JSON.parse(metadata.about!);
  expect(told).toMatchObject({
    ...{ name: "tiny-1", version: "1", trainedOn: "noise, for a test", licence: "CC BY 4.0" },
    ...{ seed: 3, patients: { train: 2, val: 1 } },
    recipe: { file: "recipe.sh", sha256: sha256Of(recipe) },
  });
  expect(told.command).toBe(
    "bun run train --data DATA --val p3 --preset small --iterations 7 --seed 3 --spacing 2 --patch 8 " +
      "--filters 4,4,4 --groups 2 --stride 6 --chunk 1024",
  );
  expect(told.commit).toMatch(/^[0-9a-f]{40}|^unknown/);
  expect(JSON.parse(readFileSync(join(shipped, "index.json"), "utf8"))).toEqual({
    format: 1,
    weights: [
      {
        ...{ name: "tiny-1", version: "1", sha256: sha256Of(file) },
        ...{ trainedOn: "noise, for a test", licence: "CC BY 4.0" },
      },
    ],
  });
  expect((await succeed("weights", "list")).out).toMatch(
    /tiny-1 +1 +[0-9a-f]{8} +CC BY 4\.0 +noise/,
  );
  writeFileSync(join(shipped, "MODEL_CARD.md"), "# tiny\n\nFor a test.\n");
  expect((await succeed("weights", "card")).out).toBe("# tiny\n\nFor a test.\n");
});

test("what cannot be exported is refused", async () => {
  const refused = (what: RegExp, ...args: string[]) =>
    expectRefusal(what, "weights", "export", ...args, ...about);
  await refused(/--name a\/b: expected letters/, trained, "--name", "a/b");
  await refused(/of that version is in .* already; give another/, trained, "--name", "tiny-1");
  const lone = join(folder, "lone.safetensors");
  writeSafetensors({ path: lone, ...weightsContents() });
  await refused(/lies in no run folder/, lone, "--name", "again");
  await refused(/no such file/, join(folder, "none.safetensors"), "--name", "b");
});

test("a copy that was changed since is exported again, with what is known of its training", async () => {
  const copy = join(folder, "copy.safetensors");
  const { metadata, tensors } = readSafetensors(file);
  writeSafetensors({ path: copy, tensors, metadata });
  await succeed("weights", "export", copy, "--name", "tiny-1", "--release", "1.1", ...about);
  const told = JSON.parse(readSafetensors(file).metadata.about!);
  const { seed, command, patients } = JSON.parse(metadata.about!);
  expect(told).toMatchObject({ seed, command, patients, version: "1.1" });
  const back = ["--name", "tiny-1", "--release", "1", ...about];
  await succeed("weights", "export", trained, ...back);
});

test("predict takes them where none are named and none trained, and says so in a line", async () => {
  for (const args of [[], ["--weights", "shipped"], ["--weights", "shipped:tiny-1"]]) {
    const { err, out, code } = await predict(...args);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    expect(err).toMatch(
      new RegExp(
        `tiny-1, version 1 \\(SHA-256 ${sha256Of(file).slice(0, 8)}…\\), trained on noise, for a ` +
          "test; not a medical device; read their card: bun run weights card",
      ),
    );
    expect(out).toMatch(/any new lesion: /);
  }
  const none = await predict("--weights", "none");
  expect(none.err).toMatch(/NO NETWORK/);
  const both = await predict("--weights", "none,shipped");
  expect(both).toMatchObject({ code: 2, err: expect.stringMatching(/none stands alone/) });
  const runs = join(folder, "empty", "runs");
  cpSync(join(folder, "runs"), runs, { recursive: true });
  const own = await predict();
  expect(own.err).toMatch(/weights runs.a.best\.safetensors/);
  expect(own.err).not.toMatch(/come with voxgrad/);
  const split = join(runs, "a", "split.json");
  writeFileSync(split, JSON.stringify({ data: null, train: ["p1"], val: ["p2"] }));
  const phantom = await predict();
  expect(phantom.err).toMatch(/come with voxgrad/);
  rmSync(runs, { recursive: true });
});

test("a training starts from them by name", async () => {
  const out = join(folder, "b");
  const { err } = await run("train", "--from", "shipped", "--filters", "8,8,8", "--out", out);
  expect(err).toMatch(/tiny-1\.safetensors was trained with --filters 4,4,4/);
});

test("weights with partners: all are averaged and named, and a training starts from the first alone", async () => {
  await expectRefusal(
    /--with nowhere: expected other shipped weights, of tiny-1/,
    ...["weights", "export", trained, "--name", "tiny-2", "--with", "nowhere", ...about],
  );
  await succeed("weights", "export", trained, "--name", "tiny-2", "--with", "tiny-1", ...about);
  expect(shippedFiles("tiny-2").map(({ shipped: { name } }) => name)).toEqual(["tiny-2", "tiny-1"]);
  expect(shippedFiles().map(({ shipped: { name } }) => name)).toEqual(["tiny-1"]);
  const { err, code } = await predict("--weights", "shipped:tiny-2");
  expect(code).toBe(0);
  expect(err).toMatch(
    /tiny-2, version 1 .*trained on noise, for a test; averaged with tiny-1; not/,
  );
  expect(err).toMatch(/weights .*tiny-2\.safetensors: .*[\s\S]*weights .*tiny-1\.safetensors: /);
  const out = join(folder, "c");
  const start = ["--from", "shipped:tiny-2", "--filters", "8,8,8", "--out", out];
  expect((await run("train", ...start)).err).toMatch(/tiny-2\.safetensors was trained with/);
});

test("another file of that name, a missing one and a damaged index are refused in a line", async () => {
  const index = join(shipped, "index.json");
  const before = readFileSync(index, "utf8");
  const other = weightsContents((tensors) =>
    (tensors.get("head.bias")!.data as Float32Array).fill(1),
  );
  writeSafetensors({ path: file, ...other });
  for (const args of [[], ["--weights", "shipped"]]) {
    const { err, code } = await predict(...args);
    expect(err).toMatch(/tiny-1\.safetensors: is not the file that comes with voxgrad \(SHA-256/);
    expect(code).toBe(2);
  }
  await expectRefusal(/is not the file that comes with voxgrad/, "weights", "list");
  rmSync(file);
  await expectRefusal(/tiny-1\.safetensors: is missing, though/, "weights", "list");
  for (const [text, what] of [
    ["{", /index\.json: not valid JSON; restore it/],
    [before.replace('"format": 1', '"format": 2'), /format is 2/],
    [before.replace("tiny-1", "../tiny-1"), /name is "\.\.\/tiny-1": expected letters/],
  ] as const) {
    writeFileSync(index, text);
    await expectRefusal(what, "weights", "list");
  }
});

test("what comes with this voxgrad is whole, loads, and its card names it", () => {
  const own = process.env.VOXGRAD_WEIGHTS;
  delete process.env.VOXGRAD_WEIGHTS;
  try {
    const all = shippedWeights();
    expect(all.length).toBeGreaterThan(0);
    for (const { name, version } of all) {
      const { path } = shippedFile(name);
      expect(loadWeights(path).info.unet.inChannels).toBeGreaterThan(1);
      expect(modelCard()).toContain(`\`${name}\`, ${version}`);
    }
  } finally {
    process.env.VOXGRAD_WEIGHTS = own;
  }
});
