/** The texts of shaders/, as they are on the disk. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "..", "..", "..", "shaders");
const paths = [...new Glob("**/*.wgsl").scanSync({ cwd: ROOT, absolute: true })].sort();

/** By the name of the file without `.wgsl`, in the order of their paths. */
export const SHADERS: ReadonlyMap<string, string> = new Map(
  paths.map((path) => [basename(path, ".wgsl"), readFileSync(path, "utf8")]),
);
if (SHADERS.size < paths.length) throw new Error("shaders/: two files have one name");
