/** The settings of several runs side by side. */
import type { RunInfo } from "./message";

export interface SettingRow {
  readonly option: string;
  /** Of each run, in order; "–" where it has none. */
  readonly values: readonly string[];
  readonly differs: boolean;
}

/** Those in which runs differ come first; else they are in the order of `train --help`. */
export function settingTable(runs: readonly Pick<RunInfo, "settings">[]): SettingRow[] {
  const maps = runs.map(({ settings }) => new Map(settings));
  const options = new Set(maps.flatMap((map) => [...map.keys()]));
  const rows = [...options].map((option) => {
    const values = maps.map((map) => map.get(option) ?? "–");
    return { option, values, differs: new Set(values).size > 1 };
  });
  return [...rows.filter(({ differs }) => differs), ...rows.filter(({ differs }) => !differs)];
}
