import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { defineKernel, type Kernel } from "../src/core/kernel";
import type { Device } from "../src/gpu/device";
import { PipelineCache, showShaderError, specialise } from "../src/gpu/shader";
import { openDevice } from "../src/hosts/bun";

function kernelOf(source: string): Kernel {
  return defineKernel({
    name: "sample",
    source,
    bindings: { y: "read_write" },
    grid: () => [1, 1, 1],
  });
}

const CONSTS = `
const TILE: u32 = 4u;
const SHIFT : i32=-3i; // keep me
const EPS: f32 = 1e-5f;
const RELU: bool = true;
const HALF: u32 = TILE / 2u;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(TILE)
fn main(@builtin(local_invocation_index) i: u32) {
  const TILE: u32 = 7u;
  y[i] = select(EPS, f32(SHIFT), RELU) + f32(HALF);
}
`;

describe("specialise", () => {
  const kernel = kernelOf(CONSTS);

  test("replaces module-scope right-hand sides by type, and nothing else", () => {
    const source = specialise(kernel, { TILE: 8, SHIFT: -12, EPS: 0.5, RELU: false });
    expect(source).toBe(
      CONSTS.replace("const TILE: u32 = 4u", "const TILE: u32 = 8u")
        .replace("SHIFT : i32=-3i", "SHIFT : i32=-12i")
        .replace("EPS: f32 = 1e-5f", "EPS: f32 = 0.5f")
        .replace("RELU: bool = true", "RELU: bool = false"),
    );
    expect(specialise(kernel, {})).toBe(CONSTS);
  });

  test("floats keep their value in float32", () => {
    for (const value of [0, 1, -2, 1e-5, 0.1, 1e30, -3.5e-12, 16777217, 2 ** -140]) {
      const source = specialise(kernel, { EPS: value });
      const text = /EPS: f32 = (.*)f;/.exec(source)![1]!;
      expect(Math.fround(Number(text)), text).toBe(Math.fround(value));
      expect(text).toMatch(/[.e]/);
    }
  });

  test("booleans may be given as numbers and numbers as booleans", () => {
    expect(specialise(kernel, { RELU: 0, TILE: true })).toContain("TILE: u32 = 1u");
    expect(specialise(kernel, { RELU: 0 })).toContain("RELU: bool = false");
  });

  test("what does not fit is refused by name", () => {
    expect(() => specialise(kernel, { TILE: 8, NONE: 1 })).toThrow(
      "sample.wgsl has no `const NONE` line",
    );
    expect(() => specialise(kernel, { TILE: -1 })).toThrow("sample.TILE: -1 is not a valid u32");
    expect(() => specialise(kernel, { TILE: 1.5 })).toThrow("sample.TILE: 1.5 is not a valid u32");
    expect(() => specialise(kernel, { SHIFT: 0.5 })).toThrow("not a valid i32");
    expect(() => specialise(kernel, { EPS: Number.NaN })).toThrow("not a finite number");
    expect(() => specialise(kernel, { EPS: 1e39 })).toThrow("not a finite number");
    expect(() => specialise(kernel, { TILE: 2 ** 32 })).toThrow("not a valid u32");
    expect(() => specialise(kernel, { SHIFT: 2 ** 31 })).toThrow("not a valid i32");
  });
});

test("shader errors show their lines with numbers", () => {
  const source = Array.from({ length: 12 }, (_, i) => `line ${i + 1}`).join("\n");
  const message = { type: "error", lineNum: 5, message: "no such thing" } as GPUCompilationMessage;
  expect(showShaderError(source, [message])).toBe(
    [
      "error at line 5: no such thing",
      ...["     2 | line 2", "     3 | line 3", "     4 | line 4"],
      ...[">    5 | line 5", "     6 | line 6", "     7 | line 7"],
    ].join("\n"),
  );
});

describe("pipelines", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ quiet: true });
  });
  afterAll(() => device.destroy());

  test("each specialisation is compiled once", async () => {
    const cache = new PipelineCache(device.device);
    const kernel = kernelOf(CONSTS);
    const all = [1, 2, 1, 2, 4].map((TILE) => cache.get(kernel, { TILE }));
    const [a, b, c, d] = await device.wait(Promise.all(all));
    expect(cache.size).toBe(3);
    expect([a === c, b === d, a === b]).toEqual([true, true, false]);
  });

  test("an error in the shader names the file and the line", async () => {
    const cache = new PipelineCache(device.device);
    const broken = kernelOf(CONSTS.replace("select(EPS", "sellect(EPS"));
    const failure = cache.get(broken, { TILE: 2 }).catch((error: Error) => error.message);
    const message = String(await device.wait(failure));
    expect(message).toStartWith("shader sample.wgsl:\nerror at line 11: ");
    expect(message).toMatch(/>\s+11 \|\s+y\[i\] = sellect\(EPS/);
    expect(device.takeErrors()).toEqual([]);
  });

  test("a workgroup that the adapter cannot run is refused by name", async () => {
    const cache = new PipelineCache(device.device);
    const failure = cache.get(kernelOf(CONSTS), { TILE: 1 << 20 }).catch((e: Error) => e.message);
    expect(String(await device.wait(failure))).toContain("sample");
    expect(device.takeErrors()).toEqual([]);
  });
});
