/** The list of shaders that were compiled before, by which a cold start is recognised. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiledBefore, rememberCompiled } from "../src/platform/compiled";

const KEYS = ["VOXGRAD_CACHE", "MESA_SHADER_CACHE_DIR", "MESA_SHADER_CACHE_DISABLE"] as const;
const before = new Map(KEYS.map((key) => [key, process.env[key]]));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "voxgrad-compiled-"));
  process.env.VOXGRAD_CACHE = folder;
  for (const key of KEYS.slice(1)) delete process.env[key];
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const [key, value] of before) {
    if (value === undefined) delete process.env[key];
    else process.env[key] = value;
  }
});

test("shaders are known once remembered, in any order, for that driver and Mesa cache", async () => {
  expect(compiledBefore("Mesa 25.0.7", ["a", "b"])).toBe(false);
  await rememberCompiled("Mesa 25.0.7", ["a", "b"]);
  expect(compiledBefore("Mesa 25.0.7", ["b", "a"])).toBe(true);
  expect(compiledBefore("Mesa 25.0.8", ["a", "b"])).toBe(false);
  expect(compiledBefore("Mesa 25.0.7", ["a", "b", "c"])).toBe(false);
  process.env.MESA_SHADER_CACHE_DIR = folder;
  expect(compiledBefore("Mesa 25.0.7", ["a", "b"])).toBe(false);
});

test("without Mesa's cache nothing is worth preparing; one that cannot be written is no error", async () => {
  process.env.MESA_SHADER_CACHE_DISABLE = "true";
  expect(compiledBefore("Mesa 25.0.7", ["new"])).toBe(true);
  delete process.env.MESA_SHADER_CACHE_DISABLE;
  process.env.VOXGRAD_CACHE = "/proc/nowhere";
  await rememberCompiled("Mesa 25.0.7", ["a"]);
  expect(compiledBefore("Mesa 25.0.7", ["a"])).toBe(false);
});
