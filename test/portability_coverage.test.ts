/** The portability suite's reach: what its short form launches, and in which ways. Nothing is run here. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { ops } from "../kernels/index";
import type { Capabilities } from "../src/core/kernel";
import type { Way } from "../src/portability/case";
import { fusedCases } from "../src/portability/cases/fused";
import { fusedPoolCases } from "../src/portability/cases/fused_pool";
import { networkCases } from "../src/portability/cases/network";
import { opCases } from "../src/portability/cases/ops";
import { shortest } from "../src/portability/short_form";
import { references } from "../src/reference/index";
import { GPU, LAVAPIPE } from "./adapters";

const SEED = 20;
const SHADERS = [
  ...new Glob("**/*.wgsl").scanSync({ cwd: join(import.meta.dir, "..", "shaders") }),
];
const KERNELS = SHADERS.map((path) => path.split("/").at(-1)!.replace(".wgsl", ""));

/** One launch of a short case. */
interface Launch {
  readonly row: string;
  readonly kernel: string;
  readonly way: Way | "own";
  /** The kernel finds its workgroup in a grid of several rows, and has one here. */
  readonly rows: boolean;
}

function launchesOn(caps: Capabilities): Launch[] {
  const cases = [
    ...[...opCases(references, caps, SEED).cases, ...fusedCases(caps, SEED).cases],
    ...[...fusedPoolCases(SEED), ...networkCases(SEED)],
  ];
  const able = cases.filter(({ outline }) => !outline || outline(caps));
  const rows = [...Map.groupBy(able, ({ row }) => row).values()];
  return rows.flatMap(shortest).flatMap(({ row, way, outline }) => {
    const dispatches = outline?.(caps)?.dispatches ?? [];
    return dispatches.map(({ kernel, sizes }): Launch => {
      // Shuffled, every kernel asks for the number of workgroups.
      const asks = way !== "shuffled" && kernel.source.includes("num_workgroups");
      const rows = asks && kernel.grid(sizes)[1] > 1;
      return { row, kernel: kernel.name, way: way ?? "own", rows };
    });
  });
}

const found: Record<"software" | "withoutSubgroups" | "gpu", Launch[]> = {
  ...{ software: [], withoutSubgroups: [], gpu: [] },
};
const kernelsOf = (launches: readonly Launch[]) => new Set(launches.map(({ kernel }) => kernel));

beforeAll(() => {
  found.software = launchesOn(LAVAPIPE);
  // As in Deno and in Firefox.
  found.withoutSubgroups = launchesOn({ ...LAVAPIPE, subgroupSize: null });
  found.gpu = launchesOn(GPU);
});

describe("the short form", () => {
  test("launches every shader, on a software adapter all but those that need subgroup matrices", () => {
    const all = kernelsOf([...found.software, ...found.gpu]);
    expect(KERNELS.filter((name) => !all.has(name))).toEqual([]);
    const software = kernelsOf(found.software);
    const without = KERNELS.filter((name) => !software.has(name));
    expect(without.filter((name) => !name.startsWith("conv3d_matrix"))).toEqual([]);
  });

  test("has a row for every variant of every op on a GPU that has everything", () => {
    const rows = new Set(found.gpu.map(({ row }) => row));
    for (const op of Object.values(ops)) {
      const variants: Readonly<Record<string, readonly { name: string }[]>> = op.variants ?? {};
      for (const [pick, all] of Object.entries(variants)) {
        for (const { name } of all) {
          const own = [`${pick}/${name}`, `${pick}.f16/${name}`];
          // Variants for one size of subgroup: this GPU has another.
          const other = name === "winograd_quad" || name === "subgroup" || name === "winograd";
          expect(other || own.some((row) => rows.has(row)), own[0]).toBe(true);
        }
      }
    }
  });

  test("gives every kernel that shares out sums on a GPU that work on a software adapter too", () => {
    const split = kernelsOf(found.software.filter(({ way }) => way === "as_on_gpu"));
    const sharing = [
      ...["sum_parts", "conv3d_db", "conv3d_norm_db", "conv3d_point_dw", "class_gradients"],
      ...["patch_sums", "group_norm_stats", "group_norm_apply", "group_norm_dx"],
      ...["group_norm_sums", "group_norm_params", "group_norm_merge", "gather_patches"],
      "gather_augmented",
    ];
    expect(sharing.filter((name) => !split.has(name))).toEqual([]);
    expect(found.gpu.filter(({ way }) => way === "as_on_gpu")).toEqual([]);
  });

  test("gives every kernel a second row of workgroups that can have one", () => {
    const rows = kernelsOf([...found.software, ...found.gpu].filter(({ rows }) => rows));
    const without = KERNELS.filter((name) => !rows.has(name)).sort();
    expect(without).toEqual(
      [
        // One workgroup, or axes of their own.
        ...["batch_stats", "loss_scale", "rank_correlation", "shared_indices", "top_b"],
        ...["overlap_divide", "resample"],
        // Their results are so few that one workgroup makes them in every short case.
        ...["conv3d_norm_db", "group_norm_merge", "group_norm_params"],
      ].sort(),
    );
  });

  test("runs every kernel of an adapter with workgroups and invocations in another order", () => {
    for (const [name, launches] of Object.entries(found)) {
      const shuffled = kernelsOf(launches.filter(({ way }) => way === "shuffled"));
      const without = [...kernelsOf(launches)].filter((kernel) => !shuffled.has(kernel));
      // Those for subgroup matrices are shuffled in the whole form.
      expect(without.filter((kernel) => !kernel.startsWith("conv3d_matrix")).sort(), name).toEqual(
        [],
      );
    }
  });

  test("has more workgroups than a row of a grid can hold where that takes little memory", () => {
    const crowded = found.software.filter(({ way, rows }) => way === "many_groups" && rows);
    const rows = new Set(crowded.map(({ row }) => row.split("/")[0]!));
    expect([...rows].sort()).toEqual(
      [
        // Losses only in the whole form: minutes on SwiftShader.
        ...["conv3d.backward", "gatherPatches", "groupNorm", "groupNorm.backward", "windowRange"],
      ].sort(),
    );
  });

  test("has convolutions after a norm that cross the edges of tiles along every axis", () => {
    const wide = fusedCases(LAVAPIPE, SEED).cases.filter(({ short, way }) => short && !way);
    const convolutions = wide.filter(({ row }) => row.startsWith("conv3d"));
    expect(convolutions.length).toBeGreaterThan(10);
    for (const { row, name } of convolutions) {
      expect(name, row).toMatch(/_D5_H9_W36_/);
      expect(name, row).toContain("NORM1");
    }
  });
});
