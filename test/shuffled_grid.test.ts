/** Workgroups and invocations in another order: the same work, each invocation once. */
import { beforeAll, describe, expect, test } from "bun:test";
import { Graph } from "../src/core/graph";
import { defineKernel, type Grid, type Kernel } from "../src/core/kernel";
import { capabilities } from "../src/gpu/capabilities";
import type { Device } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { openDevice } from "../src/hosts/bun";
import { barrierDefects, withoutBarriers } from "../src/portability/mutants/barriers";
import { SHADERS } from "../src/portability/mutants/shaders";
import { FACTOR, shuffle, shuffled } from "../src/portability/shuffled_grid";
import { LAVAPIPE } from "./adapters";

const BODY = `const WG: u32 = 6u;
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
`;

function kernelOf(source: string, grid: Grid = [1, 1, 1], subgroups = false): Kernel {
  const bindings = { y: "read_write" } as const;
  return defineKernel({
    ...{ name: "sample", source: BODY + source, bindings, subgroups },
    grid: () => grid,
  });
}

const LANES = `@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  y[i] += i + 1u;
}
`;
const THREE = `@compute @workgroup_size(WG, 2, 1)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = wid.x * WG * 2u + local;
  y[i] += i + 1u;
}
`;
const GLOBAL = `@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  y[gid.x] += gid.x + 1u;
}
`;

describe("the text", () => {
  test("numbers workgroups from the last to the first, and scatters invocations", () => {
    expect(shuffled(kernelOf(LANES)).source).toBe(
      BODY +
        LANES.replace(" wid:", " wid_before:")
          .replace(" lane:", " lane_before:")
          .replace(
            ") {\n",
            ") {\n  let wid = nwg - 1u - wid_before;\n  let lane = (lane_before + WG * 1u * 1u / 2u) * 521u % (WG * 1u * 1u);\n",
          ),
    );
    expect(shuffled(kernelOf(GLOBAL)).source).toContain(
      "fn main(@builtin(num_workgroups) workgroups_in_all: vec3u, @builtin(global_invocation_id) gid_before: vec3u) {\n" +
        "  let gid = workgroups_in_all * vec3u(WG, 1u, 1u) - 1u - gid_before;\n",
    );
  });

  test("leaves the invocations of a kernel with subgroups, and a kernel of one invocation", () => {
    const withSubgroups = shuffled(kernelOf(LANES, [1, 1, 1], true)).source;
    expect(withSubgroups).toContain("let wid = ");
    expect(withSubgroups).not.toContain("let lane = ");
    const alone = kernelOf("@compute @workgroup_size(1)\nfn main() {\n  y[0] = 1u;\n}\n");
    expect(shuffled(alone)).toBe(alone);
    const g = new Graph(LAVAPIPE);
    g.emit(alone, { y: g.tensor("y", [1], "u32") }, {});
    expect(shuffle(g)).toBeUndefined();
  });

  test("of another form, or with numbers that it does not know, is an error", () => {
    const local = "fn main(@builtin(local_invocation_id) lid: vec3u) {\n}\n";
    expect(() => shuffled(kernelOf(`@compute @workgroup_size(WG)\n${local}`))).toThrow(
      "sample.wgsl: cannot renumber local_invocation_id",
    );
    expect(() => shuffled(kernelOf("@compute @workgroup_size(WG) fn other() {\n}\n"))).toThrow(
      "sample.wgsl: expected",
    );
  });
});

/** The places at which the invocations of a workgroup run, by their numbers. */
function placesOf(count: number): number[] {
  const places = new Array<number>(count).fill(Number.NaN);
  for (let i = 0; i < count; i++) places[((i + Math.floor(count / 2)) * FACTOR) % count] = i;
  return places;
}

describe("the order of invocations", () => {
  // Every size that a kernel has on some adapter.
  for (const count of [1, 4, 8, 16, 32, 64, 96, 128, 192, 256, 512, 1024]) {
    test(`of ${count} holds each once`, () => {
      const order = Array.from({ length: count }, (_, i) => i);
      expect(placesOf(count).sort((a, b) => a - b)).toEqual(order);
    });
  }

  for (const count of [64, 96, 128, 192, 256, 512, 1024]) {
    test(`of ${count} has neighbours far apart, in both orders, and the first in the middle`, () => {
      const places = placesOf(count);
      expect(places[0]).toBe(count / 2);
      for (let distance = 1; distance <= 7; distance++) {
        const steps = places.slice(distance).map((place, i) => place - places[i]!);
        expect(Math.min(...steps.map(Math.abs))).toBeGreaterThanOrEqual(7);
        expect(Math.min(...steps)).toBeLessThan(0);
        expect(Math.max(...steps)).toBeGreaterThan(0);
      }
    });
  }
});

describe("on a device", () => {
  let device: Device;
  let memory: Memory;
  beforeAll(async () => {
    device = await openDevice({ quiet: true });
    memory = new Memory(device);
  });

  for (const [name, source, grid, count] of [
    ["two rows of workgroups", LANES, [3, 2, 1], 36],
    ["workgroups along two axes", THREE, [3, 1, 1], 36],
    ["invocations of the whole grid", GLOBAL, [3, 1, 1], 18],
  ] as const) {
    test(`${name}: each invocation runs once`, async () => {
      const g = new Graph(capabilities(device));
      const y = g.tensor("y", [count], "u32");
      g.emit(kernelOf(source, grid), { y }, {});
      expect(shuffle(g)).toBe(g);
      const program = await Program.compile(memory, g, "shuffled", [y]);
      program.run();
      const got = await memory.readU32(y, program.bufferOf(y));
      program.destroy();
      expect([...got.subarray(0, count)]).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    });
  }
});

test("every barrier of a text has a defect, which is found once in it", () => {
  const text = "a();\nworkgroupBarrier();\nb();\nworkgroupBarrier();\nb();\nc();\n";
  const defects = withoutBarriers("sample", text);
  expect(defects.map(({ what }) => what)).toEqual([
    "barrier 1 of 2 is left out",
    "barrier 2 of 2 is left out",
  ]);
  const planted = defects.map(({ from, to }) => text.split(from).join(to));
  expect(planted).toEqual([
    "a();\nb();\nworkgroupBarrier();\nb();\nc();\n",
    "a();\nworkgroupBarrier();\nb();\nb();\nc();\n",
  ]);
});

test("every barrier of every shader is a defect, but two that no case can tell", () => {
  const texts = [...SHADERS.values()].map((text) => text.replace(/\/\/.*/g, ""));
  const waits = texts.join("").match(/\b(\w*Barrier|workgroupUniformLoad)\(/g) ?? [];
  expect(barrierDefects().length).toBe(waits.length - 2);
});
