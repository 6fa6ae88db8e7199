/** Browsers of the system. */
import { existsSync } from "node:fs";
import { Unavailable } from "./packages";

/** The file that a variable of the environment names. @throws Unavailable where it is not there */
export function namedBrowser(variable: string): string | undefined {
  const named = process.env[variable];
  if (!named || existsSync(named)) return named || undefined;
  throw new Unavailable(`${variable}: no file ${named}`);
}

/** @param elsewhere files of a platform, where installers put them */
export function installedBrowser(
  commands: readonly string[],
  elsewhere: Readonly<Record<string, readonly string[]>>,
): string | undefined {
  const found = commands.map((name) => Bun.which(name)).find(Boolean);
  return found ?? elsewhere[process.platform]?.find((path) => existsSync(path));
}
