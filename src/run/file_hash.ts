/** The hash by which weights files are named. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { NamedWeights } from "./named_weights";

/** SHA-256 of a file's bytes in hex, as `sha256sum` prints it. */
export const sha256Of = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

/** Names and hashes of weights files, as a result names them. */
export const hashed = (models: readonly Pick<NamedWeights, "path">[]) =>
  models.map(({ path }) => ({ name: basename(path), sha256: sha256Of(path) }));

/** The names of two visits without their folders, as a result names them. */
export const visitNames = ({ t1, t2 }: { readonly t1: string; readonly t2: string }) => ({
  t1: basename(resolve(t1)),
  t2: basename(resolve(t2)),
});
