/** Lists of paths on the command line. */
import { existsSync } from "node:fs";

/**
 * Paths separated by commas, each without the spaces around it. A path that is there may hold commas
 * and spaces itself.
 */
export function readPaths(text: string): string[] {
  const parts = text.split(",");
  const paths: string[] = [];
  for (let first = 0; first < parts.length; ) {
    let end = parts.length;
    while (end > first + 1 && !existing(parts.slice(first, end).join())) end--;
    const path = parts.slice(first, end).join();
    paths.push(existing(path) ?? path.trim());
    first = end;
  }
  return paths.filter((path) => path !== "");
}

const existing = (path: string): string | undefined =>
  [path, path.trim()].find((each) => each !== "" && existsSync(each));
