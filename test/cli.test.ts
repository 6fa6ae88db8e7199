/** The commands end to end, as a user runs them: train, interrupt, resume, predict, evaluate. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeVolume } from "../src/data/nifti_write";
import { writePhantom } from "../src/data/phantom/cohort";
import { readSafetensors } from "../src/data/safetensors_file";
import { createRunFolder, readMetrics } from "../src/run/run_folder";
import { loadWeights } from "../src/run/weights_file";
import { makeTrainConfig, PRESET_NAMES } from "../src/settings/presets";
import { expectRefusal, run, start, succeed } from "./cli_rig";
import { NO_SUCH_SETTING } from "./no_such_setting";
import { once } from "./once";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-cli-"));
const data = join(folder, "data");
const patient = join(data, "patient001");
const [t1, t2] = ["01", "02"].map((n) => join(patient, `flair_time${n}_on_middle_space.nii.gz`));
const sizes = ["--filters", "8,8,8", "--patch", "16", "--stride", "12", "--spacing", "2"];
const batches = ["--pool", "6", "--batch", "2", "--iterations", "12", "--report-every", "2"];
const inputs = ["--augment", "all", "--difference"];
const averaging = ["--window-weights", "gaussian", "--mirror", "y"];
const settings = [...sizes, ...batches, ...inputs, ...averaging];
// Runs are compared bit for bit; on a GPU each would choose kernels by its own timings.
const training = ["--data", data, "--val", "patient001", "--tune", "off", ...settings];

beforeAll(async () => {
  mkdirSync(data);
  await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
});

const whole = join(folder, "whole");
const weights = join(whole, "last.safetensors");
const out = join(folder, "mask.nii.gz");
const probability = join(folder, "probability.nii");
const halves = [...training, "--validate-every", "0.5"];
/** A whole training, in the folder `whole`. */
const trained = once(() => succeed("train", ...halves, "--out", whole));
/** A prediction with its weights, in the files `out` and `probability`. */
const predicted = once(async () => {
  await trained();
  const files = ["-t1", t1!, "-t2", t2!, "-o", out, "--probability", probability];
  return await succeed("predict", ...files, "--weights", weights);
});

describe("train", () => {
  test("leaves a complete run folder", async () => {
    await trained();
    const files = ["config.json", "split.json", "metrics.jsonl", "curves.png", "patient001.png"];
    files.push("choices.json", "decision.json");
    const checkpoints = ["last", "best"].flatMap((kind) =>
      ["", ".student", ".state"].map((part) => `${kind}${part}.safetensors`),
    );
    for (const file of [...files, ...checkpoints]) {
      expect(existsSync(join(whole, file)), file).toBe(true);
    }
    const lines = readMetrics({ path: whole });
    expect(lines.filter((l) => l.loss !== undefined).map((l) => l.iteration)).toEqual([
      2, 4, 6, 8, 10, 12,
    ]);
    expect(lines.filter((l) => l.diceMomentum !== undefined).length).toBe(2);
    expect(lines.filter((l) => l.lesionF1Momentum !== undefined).length).toBe(2);
    const decision = JSON.parse(readFileSync(join(whole, "decision.json"), "utf8"));
    expect(decision.patients.map(({ id }: { id: string }) => id)).toEqual(["patient001"]);
    expect(loadWeights(join(whole, "best.safetensors")).sweeps?.length).toBe(1);
    expect(loadWeights(join(whole, "last.safetensors")).sweeps).toBeUndefined();
  });

  test("Ctrl-C saves; --resume goes on to the same weights, bit for bit", async () => {
    await trained();
    const out = join(folder, "interrupted");
    const child = start("train", [...halves, "--out", out]);
    while (readMetrics({ path: out }).length === 0 && child.exitCode === null) await Bun.sleep(20);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(await new Response(child.stderr).text()).toContain(`--resume ${out}`);
    const resumed = await run("train", "--resume", out);
    expect(resumed.code).toBe(0);
    expect(resumed.err).toContain("kernels: those that the run began with");
    for (const file of ["last.safetensors", "last.student.safetensors"]) {
      const [a, b] = [whole, out].map((path) => readSafetensors(join(path, file)).tensors);
      expect(b, file).toEqual(a!);
    }
  });

  test("a finished run that is resumed stays as it is", async () => {
    await trained();
    const before = readMetrics({ path: whole });
    const { code } = await run("train", "--resume", whole);
    expect(code).toBe(0);
    expect(readMetrics({ path: whole })).toEqual(before);
  });

  test("bad options and data are refused in one line", async () => {
    await trained();
    await expectRefusal(
      /holds a training run already.*--resume/,
      "train",
      ...training,
      "--out",
      whole,
    );
    await expectRefusal(/no patient nobody/, "train", "--data", data, "--val", "nobody");
    await expectRefusal(/--augment.*no part twist.*flip/, "train", "--augment", "flip,twist");
    await expectRefusal(
      new RegExp(`--preset huge.*${PRESET_NAMES.join(", ")}`),
      "train",
      "--preset",
      "huge",
    );
    await expectRefusal(/expected a time such as/, "train", "--budget", "soon");
    await expectRefusal(/--tune <mode>.*Allowed choices/, "train", "--tune", "maybe");
    await expectRefusal(/--tune-seconds.*above 0/, "predict", "--tune-seconds", "0");
    await expectRefusal(/--batch 9 .*--pool 4/, "train", "--pool", "4", "--batch", "9");
    for (const command of ["train", "adapters", "phantom"]) {
      await expectRefusal(/unknown option/, command, "--sped", "1");
    }
    await expectRefusal(/holds no training run/, "train", "--resume", join(folder, "none"));
    await expectRefusal(/keeps its settings.*--seed/, "train", "--resume", whole, "--seed", "3");
    const twins = ["--data", data, "--time-reversal", "--synthetic", "0.3", ...sizes];
    await expectRefusal(/--time-reversal needs its resolved\.nii\.gz/, "train", ...twins);
  });

  test("a run of a newer version is refused by the name of the setting", async () => {
    const newer = join(folder, "newer");
    const config = { ...makeTrainConfig("small", {}), ...NO_SUCH_SETTING };
    createRunFolder(newer, config, { data, train: ["patient002"], val: ["patient001"] });
    const line =
      /newer\/config\.json: there is no setting noSuchSetting in this version of voxgrad/;
    await expectRefusal(line, "train", "--resume", newer);
  });
});

describe("predict and evaluate", () => {
  test("-t1 A -t2 B -o OUT writes a mask on the grid of A", async () => {
    const { err } = await predicted();
    expect(err).toMatch(/last\.safetensors: 2 mm, windows of 16³ .*, gaussian, mirrored along y$/m);
    for (const stage of ["reading images", "network", "writing", "total"]) {
      expect(err).toMatch(new RegExp(`^${stage} +\\d+\\.\\d\\d s +\\d+\\.\\d %$`, "m"));
    }
    const [image, mask, map] = [
      await readVolume(t1!),
      await readMask(out),
      await readVolume(probability),
    ];
    expect(mask.size).toEqual(image.size);
    for (let i = 0; i < 16; i++) expect(mask.affine[i]).toBeCloseTo(image.affine[i]!, 4);
    expect(gunzipSync(readFileSync(out)).readInt16LE(70), "datatype uint8").toBe(2);
    expect(map.data.every((p) => p >= 0 && p <= 1)).toBe(true);
    expect(mask.data.every((m, i) => m === (map.data[i]! >= 0.5 ? 1 : 0))).toBe(true);
  });

  test("several files, mirrored: a mean, findings and a report", async () => {
    await trained();
    const report = join(folder, "report.json");
    const files = ["-t1", t1!, "-t2", t2!, "-o", join(folder, "mean.nii.gz"), "--report", report];
    const how = ["--mirror", "x", "--window-weights", "gaussian", "--threshold", "0.25"];
    const both = ["-w", `${whole},${weights}`];
    const { out: text, err } = await succeed("predict", ...files, ...both, ...how);
    expect(err.match(/windows of 16³ every 12 voxels, gaussian, mirrored along x/g)?.length).toBe(
      2,
    );
    expect(err).toMatch(/^thresholds: probability 0.25 or more/m);
    expect(text).toMatch(/^any new lesion: (yes|no)$/m);
    const found = JSON.parse(readFileSync(report, "utf8"));
    expect(found.weights).toEqual([join(whole, "best.safetensors"), weights]);
    expect(found.lesionRule.threshold).toBe(0.25);
    const mask = await readMask(join(folder, "mean.nii.gz"));
    expect(mask.data.reduce((sum, v) => sum + v, 0)).toBe(found.voxels);
    const volume = found.lesions.reduce((sum: number, l: { voxels: number }) => sum + l.voxels, 0);
    expect(volume).toBe(found.voxels);
  });

  test("evaluate scores it", async () => {
    await predicted();
    const truth = join(patient, "ground_truth.nii.gz");
    const files = ["--reference", truth, "--prediction", out];
    const { out: text } = await succeed("evaluate", ...files, "--json");
    expect(JSON.parse(text).dice).toBeGreaterThanOrEqual(0);
  });

  test("bad input is refused in one line", async () => {
    await trained();
    const broken = join(folder, "broken.nii.gz");
    writeFileSync(broken, readFileSync(t1!).subarray(0, 5000));
    const files = (a: string, b: string, w = weights) => ["-t1", a, "-t2", b, "-o", out, "-w", w];
    await expectRefusal(/nothing\.nii.*no such file/, "predict", ...files("nothing.nii", t2!));
    await expectRefusal(/broken\.nii\.gz/, "predict", ...files(broken, t2!));
    const report = join(folder, "absent", "report.json");
    const nowhere = [...files(t1!, t2!), "--report", report];
    await expectRefusal(/absent.*folder does not exist/, "predict", ...nowhere);
    await expectRefusal(/safetensors/, "predict", ...files(t1!, t2!, t1!));
    await expectRefusal(/required option/, "predict", "-t1", t1!);
    await expectRefusal(/--batch.*at least 1/, "predict", ...files(t1!, t2!), "--batch", "0");
    await expectRefusal(/--mirror.*xyz, or none/, "predict", ...files(t1!, t2!), "--mirror", "q");
    await expectRefusal(/--threshold.*0 to 1/, "predict", ...files(t1!, t2!), "--threshold", "5");
    await expectRefusal(/--stride 17.*gaps/, "predict", ...files(t1!, t2!), "--stride", "17");
    await expectRefusal(/folder without best/, "predict", ...files(t1!, t2!, data));
    const flat = join(folder, "flat.nii");
    const image = await readVolume(t1!);
    await writeVolume(flat, { ...image, data: new Float32Array(image.data.length).fill(3) });
    await expectRefusal(/flat\.nii: all voxels.*same/, "predict", ...files(t1!, flat));
  });
});
