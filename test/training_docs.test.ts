/** docs/guides/training.md shows the presets as they are. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AUGMENTATIONS } from "../src/settings/names";
import { makeTrainConfig, PRESETS, type PresetName } from "../src/settings/presets";

const page = readFileSync(join(import.meta.dir, "..", "docs", "guides", "training.md"), "utf8");
const names = Object.keys(PRESETS) as PresetName[];
const option = (setting: string) => setting.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** A value as the option takes it. */
function shown(setting: string, value: unknown): string {
  if (setting === "seconds") return value === undefined ? "–" : `${Number(value) / 60}m`;
  if (value === undefined) return "–";
  if (value === true || value === false) return value ? "on" : "off";
  if (setting === "mirror" && value === "") return "none";
  if (setting === "augment" && Array.isArray(value)) {
    if (value.length === 0) return "none";
    return value.length === AUGMENTATIONS.length ? "all" : value.join(",");
  }
  return String(value);
}

test("the table of presets holds every setting in which they differ, with its values", () => {
  const configs = names.map((name) => makeTrainConfig(name, {}) as Record<string, unknown>);
  const settings = [...new Set(configs.flatMap(Object.keys))].filter((name) => name !== "preset");
  const rows = settings.flatMap((setting) => {
    const values = configs.map((config) => shown(setting, config[setting]));
    if (new Set(values).size === 1) return [];
    const name = setting === "seconds" ? "budget" : option(setting);
    return [`| \`--${name}\` | ${values.join(" | ")} |`];
  });
  const head = `| setting | ${names.map((name) => `\`${name}\``).join(" | ")} |`;
  expect(page).toContain([head, "|---|---|---|---|---|", ...rows, ""].join("\n"));
});
