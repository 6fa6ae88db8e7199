/** The tables of settings in the documentation, in Markdown. */
import { replaceBetween } from "../terminal/marked_part";
import { SETTING_NAMES, SETTINGS, type SettingName } from "./config";
import { inPresets, PRESET_NAMES, sharedDefault } from "./presets";

/** Pages of docs/guides and what stands between their marks, such as `<!-- settings: presets -->`. */
const PARTS = {
  "training.md": { name: "presets", content: presetTable },
  "settings.md": { name: "groups", content: groupTables },
} as const;
type Page = keyof typeof PARTS;
export const PAGES = Object.keys(PARTS) as Page[];

/** The text of a page with its tables as the declarations make them. @throws UserError without marks */
export function withTables(text: string, page: Page): string {
  const { name, content } = PARTS[page];
  const marks = [`<!-- settings: ${name} -->`, `<!-- end: ${name} -->`] as const;
  return replaceBetween(text, marks, content(), page);
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(header), `|${"---|".repeat(header.length)}`, ...rows.map(row)].join("\n");
}

const code = (text: string): string => `\`${text}\``;

/** Every setting in which the presets differ, with its value in each. */
function presetTable(): string {
  const names = SETTING_NAMES.filter((name) => sharedDefault(name) === undefined);
  const rows = names.map((name) => [code(flagOf(name)), ...inPresets(name)]);
  return table(["setting", ...PRESET_NAMES.map(code)], rows);
}

/** Every setting, a table per group. */
function groupTables(): string {
  const groups = Map.groupBy(SETTING_NAMES, (name) => SETTINGS[name].group);
  const sections = [...groups].map(([group, names]) => {
    const rows = names.map((name) => [
      code(flagOf(name) + argumentOf(name)),
      sharedDefault(name) ?? "[by preset](training.md#presets)",
      SETTINGS[name].help + conditionOf(name),
    ]);
    return `## ${group}\n\n${table(["option", "default", "meaning"], rows)}`;
  });
  return sections.join("\n\n");
}

/** The option that changes a setting, without its argument. */
function flagOf(name: SettingName): string {
  const { option, takes } = SETTINGS[name];
  return "turns" in takes && takes.turns === "off" ? `--no-${option}` : `--${option}`;
}

function argumentOf(name: SettingName): string {
  const { takes } = SETTINGS[name];
  return "argument" in takes ? ` ${takes.argument}` : "";
}

/** The choices without which a setting is refused, as a part of a sentence. */
function conditionOf(name: SettingName): string {
  const conditions = Object.entries(SETTINGS[name].onlyWith ?? {}).map(
    ([other, values]) =>
      `${code(`--${SETTINGS[other as SettingName].option}`)} ${values.join(", ")}`,
  );
  return conditions.length === 0 ? "" : `; only with ${conditions.join(" and ")}`;
}
