/** Run folders by their paths: one, or those in a folder, as of a cross-validation. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { configPath, openRunFolder } from "../run/run_folder";

export interface NamedRun {
  readonly path: string;
  /** The folder's; with its parents' where several have one name. */
  readonly name: string;
}

/** The run folders at a path: itself, or the folders in it; empty where there is none. */
export function runsAt(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  if (existsSync(configPath(path))) return [path];
  return readdirSync(path)
    .sort()
    .map((name) => join(path, name))
    .filter((each) => existsSync(configPath(each)));
}

/** @throws UserError where a run cannot be read */
export function namedRuns(paths: readonly string[]): NamedRun[] {
  const all = [...new Set(paths.map((path) => resolve(path)))];
  for (const path of all) openRunFolder(path);
  return all.map((path) => {
    let [name, parent] = [basename(path), dirname(path)];
    const isShared = () =>
      all.some((other) => other !== path && other.replaceAll("\\", "/").endsWith(`/${name}`));
    while (isShared() && parent !== dirname(parent)) {
      name = `${basename(parent)}/${name}`;
      parent = dirname(parent);
    }
    return { path, name };
  });
}
