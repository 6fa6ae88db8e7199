/** `bun run bench isa`: registers and waves of every kernel on AMD GPUs, compiled without one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { architectureOf, FAMILIES } from "../bench/isa/families";
import { amdGpu, launches } from "../bench/isa/launches";
import { DriverUnavailable } from "../src/platform/driver";
import { lavapipe, radv } from "../src/platform/mesa";
import { spirvAssembler } from "../src/platform/spirv_tools";
import { isaSchema } from "../src/portability/isa/schema";
import { isPoor } from "../src/portability/isa/text";
import { expectRefusal, type Left, runDocumented } from "./cli_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-isa-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is missing of RADV, spirv-as and lavapipe: brought where that may be. */
async function missing(): Promise<string | undefined> {
  try {
    for (const bring of [radv, spirvAssembler, lavapipe]) {
      await bring({ mayDownload: true, quiet: true });
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof DriverUnavailable)) throw error;
    return error.message;
  }
}

const without = await missing();

describe.skipIf(without !== undefined)(
  `with RADV and spirv-as${without ? `: ${without}` : ""}`,
  () => {
    const file = join(folder, "relu.json");
    let left: Left;
    beforeAll(async () => {
      const how = ["--family", "navi31", "--kernel", "relu", "--json", file];
      left = await runDocumented("bench", "isa", ...how);
    });

    test("the documented form says first that nothing is measured, then a line for each kernel", () => {
      expect({ err: left.code === 0 ? "" : left.err, code: left.code }).toEqual({
        err: "",
        code: 0,
      });
      expect(left.out).toMatch(/^Nothing runs on a card, so nothing is measured/);
      expect(left.out).toMatch(/^relu +1 +\d+ v \d+ w$/m);
      expect(left.out).toMatch(/^relu_dx +1 +\d+ v \d+ w$/m);
    });

    test("the compiler's numbers are those of a small kernel on RDNA 3", () => {
      const { driver, families, shaders } = isaSchema.parse(JSON.parse(readFileSync(file, "utf8")));
      expect(driver).toStartWith("Mesa ");
      expect(families).toEqual([
        { name: "navi31", architecture: "rdna-3", chip: expect.stringContaining("NAVI31") },
      ]);
      expect(shaders.map(({ kernel }) => kernel).sort()).toEqual(["relu", "relu_dx"]);
      for (const { id, defaultOn, builds } of shaders) {
        expect(defaultOn, id).toEqual(["navi31"]);
        const build = builds.navi31!;
        expect(build.vgprs, id).toBeWithin(1, 65);
        expect(build.codeBytes, id).toBeWithin(32, 1024);
        expect(build.latency, id).toBeGreaterThan(0);
        expect(build.ldsBytes, id).toBe(0);
        expect([32, 64], id).toContain(build.lanes);
        expect(isPoor(build), id).toBe(false);
      }
    });

    test("a chip that RADV does not know is refused in one line", async () => {
      const given = ["isa", "--family", "voodoo2", "--kernel", "relu"] as const;
      await expectRefusal(/--family voodoo2: RADV made no device: /, "bench", ...given);
    });
  },
);

test("a kernel that is not there is refused in one line", async () => {
  await expectRefusal(/--kernel relu6: no kernel matches/, "bench", "isa", "--kernel", "relu6");
});

test("every chip of the table has an architecture, and every kernel of it a name of its own", () => {
  for (const family of FAMILIES) expect(architectureOf(family), family).not.toBe("");
  const all = launches(amdGpu(architectureOf(FAMILIES[0])), true);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(all.filter(({ isDefault }) => !isDefault).length).toBeGreaterThan(10);
});

test("AMD's chips have default convolutions of their own, other GPUs what they had", () => {
  const kernels = (architecture: string) => {
    const caps = { ...amdGpu("gcn-5"), architecture };
    const all = launches(caps, false).map(({ kernel, variant }) => `${kernel} ${variant ?? ""}`);
    return all.filter((name) => /^conv3d_(uniform|blocked)/.test(name));
  };
  expect(new Set(kernels("amd gcn-5"))).toEqual(
    new Set([
      "conv3d_uniform uniform_1024x8",
      "conv3d_uniform uniform_512x8",
      "conv3d_blocked_dw sparing_2x16_8x4",
      "conv3d_blocked_dw sparing_4x16_8x4",
    ]),
  );
  expect(kernels("amd rdna-3")).toContain("conv3d_uniform uniform_1024x8");
  expect(kernels("amd rdna-3")).toContain("conv3d_blocked_dw blocked_8x16_8x4");
  for (const other of ["nvidia ampere", ""]) {
    expect(kernels(other)).toContain("conv3d_blocked blocked_512x16");
    expect(kernels(other).filter((name) => /uniform|sparing/.test(name))).toEqual([]);
  }
});
