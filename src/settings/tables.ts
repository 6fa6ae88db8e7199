/** The tables of settings in the documentation, in Markdown. */
import { SETTING_NAMES, SETTINGS, type SettingName } from "./config";
import { inPresets, PRESET_NAMES } from "./presets";
import { written } from "./setting";

/** A setting's value in each preset, as written. */
const values = (name: SettingName): string[] =>
  inPresets(name).map((value) => written(SETTINGS[name], value));

/** What every preset gives a setting, as written; undefined where they differ. */
export function sharedDefault(name: SettingName): string | undefined {
  const [first, ...others] = values(name);
  return others.every((value) => value === first) ? first : undefined;
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(header), `|${"---|".repeat(header.length)}`, ...rows.map(row)].join("\n");
}

/** A setting's option, as one gives it. */
function optionOf(name: SettingName): string {
  const { option, takes } = SETTINGS[name];
  if ("argument" in takes) return `\`--${option} ${takes.argument}\``;
  return takes.turns === "on" ? `\`--${option}\`` : `\`--no-${option}\``;
}

/** Every setting in which the presets differ, with its value in each. */
export function presetTable(): string {
  const rows = SETTING_NAMES.filter((name) => sharedDefault(name) === undefined).map((name) => [
    `\`--${SETTINGS[name].option}\``,
    ...values(name),
  ]);
  return table(["setting", ...PRESET_NAMES.map((name) => `\`${name}\``)], rows);
}

/** Every setting, a table per group: option, default, help, and what else must be chosen for it. */
export function settingTables(): string {
  const groups = Map.groupBy(SETTING_NAMES, (name) => SETTINGS[name].group);
  const sections = [...groups].map(([group, names]) => {
    const header = ["option", "default", "sets"];
    const rows = names.map((name) => {
      const value = sharedDefault(name) ?? "[by preset](training.md#presets)";
      return [optionOf(name), value, SETTINGS[name].help + conditionOf(name)];
    });
    return `## ${group}\n\n${table(header, rows)}`;
  });
  return sections.join("\n\n");
}

/** The choices without which a setting is refused, as a half-sentence. */
function conditionOf(name: SettingName): string {
  const conditions = Object.entries(SETTINGS[name].onlyWith ?? {}).map(
    ([other, names]) => `\`--${SETTINGS[other as SettingName].option}\` ${names.join(", ")}`,
  );
  return conditions.length === 0 ? "" : `; only with ${conditions.join(" and ")}`;
}
