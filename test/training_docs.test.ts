/** The tables of settings in docs/guides are as the declarations make them. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SETTING_NAMES, SETTINGS } from "../src/settings/config";
import { PAGES, withTables } from "../src/settings/tables";

const GUIDES = join(import.meta.dir, "..", "docs", "guides");

for (const page of PAGES) {
  test(`${page}: \`bun run docs\` would change nothing`, () => {
    const text = readFileSync(join(GUIDES, page), "utf8");
    expect(withTables(text, page)).toBe(text);
    expect(withTables(text.replace("| `--", "| `--old-"), page)).toBe(text);
  });
}

test("settings.md has a row for every setting, training.md one where presets differ", () => {
  const [presets, all] = PAGES.map((page) => readFileSync(join(GUIDES, page), "utf8"));
  for (const name of SETTING_NAMES) {
    const { option, takes, help } = SETTINGS[name];
    const shown = "turns" in takes && takes.turns === "off" ? `--no-${option}` : `--${option}`;
    const row = all!.split("\n").filter((line) => line.startsWith(`| \`${shown}`));
    expect(
      row.some((line) => line.includes(help)),
      name,
    ).toBe(true);
    const differs = row.some((line) => line.includes("by preset"));
    expect(presets!.includes(`| \`--${option}\` |`), name).toBe(differs);
  }
  expect(presets).toContain("| `--budget` | 180m | 360m | 2.5m | 2.5m |");
  expect(presets).toContain("| `--augment` | none | all | none | none |");
  expect(all).toContain("| `--tversky-gamma <g>` | 4/3 | ");
});
