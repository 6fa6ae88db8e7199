/** Every setting is declared once: its option, its notation and its bounds agree. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { withTrainOptions } from "../src/cli/train/options";
import { newConfig } from "../src/cli/train/settings";
import { UserError } from "../src/core/errors";
import type { Device } from "../src/gpu/device";
import { modelInfo } from "../src/run/trained_weights";
import {
  checkUse,
  parseTrainConfig,
  SETTING_NAMES,
  SETTINGS,
  type TrainConfig,
} from "../src/settings/config";
import type { networkSettings } from "../src/settings/network";
import {
  makeTrainConfig,
  PRESET_NAMES,
  presetHint,
  presetOf,
  presetsFor,
} from "../src/settings/presets";
import { written } from "../src/settings/setting";
import { makeCommand } from "../src/terminal/command";
import { unetConfig } from "../src/train/state";
import { NO_SUCH_SETTING } from "./no_such_setting";

const device = { info: { type: "software" } } as Device;

/** The settings of `bun run train --preset paper …`. */
function given(...args: string[]): TrainConfig {
  const command = makeCommand("train", "");
  withTrainOptions(command);
  command.parse(["--preset", "paper", ...args], { from: "user" });
  return newConfig(device, command);
}

test("no two settings have one option", () => {
  const options = SETTING_NAMES.map((name) => SETTINGS[name].option);
  expect(new Set(options).size).toBe(options.length);
});

for (const preset of PRESET_NAMES) {
  const config: TrainConfig = makeTrainConfig(preset, {});

  test(`${preset}: a value is read as it is written`, () => {
    for (const name of SETTING_NAMES) {
      const { takes, schema } = SETTINGS[name];
      if ("turns" in takes || config[name] === undefined) continue;
      const value: unknown = takes.notation.read(written(SETTINGS[name], config[name]));
      expect(value, name).toEqual(config[name]);
      expect(schema.parse(value), name).toEqual(config[name]);
    }
  });

  test(`${preset}: its options give its settings`, () => {
    const doSomething = SETTING_NAMES.filter((name) => {
      const conditions = Object.entries(SETTINGS[name].onlyWith ?? {});
      return conditions.every(([other, values]) => values.includes(`${config[other as "loss"]}`));
    });
    const args = doSomething.flatMap((name) => {
      const { option, takes } = SETTINGS[name];
      if (config[name] === undefined) return [];
      if ("argument" in takes) return [`--${option}`, written(SETTINGS[name], config[name])];
      if (config[name]) return takes.turns === "on" ? [`--${option}`] : [];
      return [`--no-${option}`];
    });
    expect(given(...args)).toEqual({ ...config, preset: "paper" });
  });
}

test("code outside src/settings reads every setting", () => {
  const paths = [...new Glob("src/**/*.ts").scanSync(join(import.meta.dir, ".."))];
  const texts = paths
    .filter((path) => !path.startsWith("src/settings"))
    .map((path) => readFileSync(join(import.meta.dir, "..", path), "utf8"));
  const read = (name: string) => texts.some((text) => new RegExp(`\\b${name}\\b`).test(text));
  expect(SETTING_NAMES.filter((name) => !read(name))).toEqual([]);
});

test("what is on is turned off", () => {
  expect(given().alignCorners).toBe(true);
  expect(given("--no-align-corners", "--no-mu-ramp")).toMatchObject({
    ...{ alignCorners: false, muRamp: false },
  });
  expect(given("--recompute").recompute).toBe(true);
  expect(given("--preset", "best", "--no-difference").difference).toBe(false);
});

test("what a setting is for are values of settings", () => {
  for (const name of SETTING_NAMES) {
    for (const [other, values] of Object.entries(SETTINGS[name].onlyWith ?? {})) {
      const { schema } = SETTINGS[other as (typeof SETTING_NAMES)[number]];
      for (const value of values) expect(schema.safeParse(value).success, name).toBe(true);
    }
  }
});

test("a setting that does nothing is refused in one line", () => {
  expect(() => given("--topk-percent", "5")).toThrow(UserError);
  expect(() => given("--topk-percent", "5")).toThrow(
    /^--topk-percent does nothing with --mining-error loss: it is for topk-ce; leave it out$/,
  );
  expect(() => given("--sampler", "uniform", "--selection", "top")).toThrow(
    /^--selection does nothing with --sampler uniform: it is for ohem; [^\n]*$/,
  );
  checkUse({ sampler: "uniform", loss: "dice" }, ["batch", "mu", "diceEpsilon"]);
});

test("a preset that there is not is refused, whatever its name", () => {
  for (const name of ["huge", "constructor"]) {
    expect(() => presetOf(name)).toThrow(
      `--preset ${name}: there is no such preset; there are ${PRESET_NAMES.join(", ")}`,
    );
  }
});

/** Another value than the paper's for every setting of the network; the type checker asks for a new one. */
const OF_NETWORK: Required<Pick<TrainConfig, keyof typeof networkSettings | "recompute">> = {
  ...{ spacing: 1, normalisation: "mask", patch: 64, filters: [8, 16, 32], groups: 4 },
  ...{ alignCorners: false, headPrior: 0.01, difference: true, recompute: true },
};

test("every setting of the network reaches the model, and every field of it has a setting", () => {
  const paper = makeTrainConfig("paper", {});
  const before: Record<string, unknown> = { ...unetConfig(paper) };
  const changed = new Set<string>();
  for (const [name, value] of Object.entries(OF_NETWORK)) {
    const config = makeTrainConfig("paper", { [name]: value });
    const isSame = Bun.deepEquals(modelInfo(config), modelInfo(paper));
    // The head's start is no part of the trained network.
    expect(isSame, `${name}: unetConfig in src/train/state.ts`).toBe(name === "headPrior");
    for (const [field, now] of Object.entries(unetConfig(config))) {
      if (!Bun.deepEquals(now, before[field])) changed.add(field);
    }
  }
  // The norm's ε is PyTorch's in every network.
  expect([...changed, "epsilon"].sort()).toEqual(Object.keys(before).sort());
});

test("a preset for GPUs names its counterpart for a software adapter, where it has one", () => {
  expect([presetsFor("gpu"), presetsFor("software")].flat().sort()).toEqual(
    PRESET_NAMES.toSorted(),
  );
  const hint = "preset best is sized for a GPU; best-small is the same for a software adapter";
  expect(presetHint("best", "software")).toBe(hint);
  for (const name of PRESET_NAMES) expect(presetHint(name, "gpu"), name).toBeUndefined();
  for (const name of ["paper", "small", "best-small"] as const) {
    expect(presetHint(name, "software"), name).toBeUndefined();
  }
});

test("bounds are named with the option", () => {
  expect(() => given("--mu", "2")).toThrow(/^--mu 2: expected number to be <=1$/);
  expect(() => given("--budget", "3h", "--iterations", "3")).toThrow(/exclude each other/);
  expect(() => parseTrainConfig({ ...makeTrainConfig("paper", {}), seconds: -1 })).toThrow(
    /^--budget -1: /,
  );
});

test("settings of a newer version are refused, those that came later may be absent", () => {
  const { mirror, difference, loss, ...older } = makeTrainConfig("paper", {});
  expect(parseTrainConfig(older)).toEqual({ ...older, mirror, difference, loss });
  expect(() => parseTrainConfig({ ...older, ...NO_SUCH_SETTING }, "run/config.json")).toThrow(
    /^run\/config\.json: there is no setting noSuchSetting in this version [^\n]*$/,
  );
});
