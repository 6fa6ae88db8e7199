/** The tuner takes every variant of the registry for right, in each place that a network has for it. */
import { afterAll, expect, test } from "bun:test";
import { conv3d } from "../../kernels/conv3d/conv3d";
import { add } from "../../kernels/elementwise/add";
import { ops } from "../../kernels/index";
import { groupNorm } from "../../kernels/norm/group_norm";
import { upsample3d } from "../../kernels/resize/upsample3d";
import { Graph } from "../../src/core/graph";
import { type DType, type Precision, type Shape, state, type Tensor } from "../../src/core/tensor";
import type { Picked } from "../../src/core/variant";
import { capabilities } from "../../src/gpu/capabilities";
import { opTasks } from "../../src/tune/op_tasks";
import { tune } from "../../src/tune/tuner";
import { defaultDevice } from "../test_devices";

const device = await defaultDevice();
const caps = capabilities(device);
afterAll(() => device.destroy());

for (const precision of caps.shaderF16 ? (["f32", "f16"] as const) : (["f32"] as const)) {
  test(`every variant of the registry passes, in every context, ${precision}`, async () => {
    // Those that are not worth a try must be right too.
    const picks = recordContexts(precision).map((picked) => ({ ...picked, slow: [] }));
    const tasks = await opTasks(device, Object.values(ops), picks);
    const problems = tasks.flatMap((task) => task.problems);
    for (const context of ["NORM", "MOMENTS", "NORM_DY", "DX"]) {
      const values = new Set(problems.flatMap((problem) => problem[context] ?? []));
      expect(values, context).toContain(1);
      expect(values, context).toContain(context === "DX" ? 1 : 0);
    }
    expect(problems.every(({ F16 }) => F16 === Number(precision === "f16"))).toBe(true);
    for (const op of ["conv3d", "conv3d_dx", "conv3d_dw", "upsample3d", "upsample3d_dx"]) {
      expect(tasks.map((task) => task.op)).toContain(op);
    }
    const lines: string[] = [];
    await tune(device, tasks, { seconds: 300, onRefused: (line) => lines.push(line) });
    expect(lines).toEqual([]);
    expect(tasks.filter(({ entry }) => !entry)).toEqual([]);
  });
}

/** Picks of convolutions and upsampling before, after and without norms, there and back. */
function recordContexts(precision: Precision): readonly Picked[] {
  const g = new Graph(caps);
  const watched = (name: string, shape: Shape, dtype: DType = "f32") => {
    const t = state(name, shape, dtype);
    g.watch(t, state(`d${name}`, shape, dtype));
    return t;
  };
  const convolved = (x: Tensor, cout: number, k: number, moments: boolean) => {
    const [w, b] = [watched("w", [cout, x.shape[1]!, k, k, k]), watched("b", [cout])];
    return g.apply(conv3d, { x, w, b }, { moments });
  };
  const normed = (x: Tensor, moments?: Tensor) => {
    const [weight, bias] = [watched("weight", [8]), watched("bias", [8])];
    const attrs = { groups: 8, eps: 1e-5, relu: true, moments };
    return g.apply(groupNorm, { x, weight, bias }, attrs).y!;
  };
  let y = watched("x", [2, 3, 4, 4, 8], precision);
  for (let i = 0; i < 2; i++) {
    const { y: next, moments } = convolved(y, 8, 3, true);
    y = normed(next!, moments);
  }
  g.noGrad(() => g.apply(upsample3d, { x: y }, { alignCorners: true }));
  y = g.apply(upsample3d, { x: convolved(y, 2, 1, false).y! }, { alignCorners: true }).y!;
  g.backward(new Map([[y, state("dy", y.shape, precision)]]), add);
  return g.picks;
}
