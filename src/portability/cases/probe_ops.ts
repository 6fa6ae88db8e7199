/** Ops of integers alone, which are right or wrong. They try what an adapter states. */
import type { Kernel } from "../../core/kernel";
import { defineKernel, num } from "../../core/kernel";
import { defineOp } from "../../core/op";
import type { Reference } from "../../reference/reference";
import { defineReference } from "../../reference/reference";
import barriersWgsl from "../probes/barriers.wgsl" with { type: "text" };
import stepWgsl from "../probes/step.wgsl" with { type: "text" };
import storageBarriersWgsl from "../probes/storage_barriers.wgsl" with { type: "text" };
import memoryWgsl from "../probes/workgroup_memory.wgsl" with { type: "text" };
import workgroupsWgsl from "../probes/workgroups.wgsl" with { type: "text" };

const GOLDEN = 0x9e3779b9;
const MULTIPLIER = 1664525;
const written = { y: "read_write" } as const;

/** u32 arithmetic. */
const times = (a: number, b: number) => Math.imul(a, b) >>> 0;
const plus = (a: number, b: number) => (a + b) >>> 0;

/** The values after `rounds` rounds of exchanging in each of `groups` rings of `count`. */
function rings(groups: number, count: number, rounds: number): Float64Array {
  const all = new Float64Array(groups * count);
  for (let group = 0; group < groups; group++) {
    let values = Uint32Array.from({ length: count }, (_, lane) => plus(times(group, GOLDEN), lane));
    for (let round = 0; round < rounds; round++) {
      values = values.map((value, lane) =>
        plus(times(value, MULTIPLIER), values[(lane + 7 * round + 1) % count]!),
      );
    }
    all.set(values, group * count);
  }
  return all;
}

type Three = readonly [number, number, number];

interface Rings {
  readonly size: Three;
  readonly rounds: number;
  readonly groups: number;
}

const barriers = defineKernel({
  name: "barriers",
  source: barriersWgsl,
  bindings: written,
  grid: (c) => [num(c, "GROUPS"), 1, 1],
});

const count = ([x, y, z]: Three) => x * y * z;

/** Workgroups of these sizes exchange values through workgroup memory. */
export function barrierReference(name: string, cases: Readonly<Record<string, Rings>>) {
  return defineReference<Rings>({
    op: defineOp<Rings>({
      name,
      forward(g, _inputs, { size, rounds, groups }) {
        const [X, Y, Z] = size;
        const y = g.tensor("y", [groups, count(size)], "u32");
        g.emit(barriers, { y }, { X, Y, Z, ROUNDS: rounds, GROUPS: groups });
        return { y };
      },
    }),
    cases: Object.entries(cases).map(([id, attrs]) => ({ id, inputs: {}, attrs })),
    forward: (_inputs, _shapes, { size, rounds, groups }) => ({
      y: rings(groups, count(size), rounds),
    }),
    bound: () => 0,
  });
}

const storageBarriers = defineKernel({
  name: "storage_barriers",
  source: storageBarriersWgsl,
  bindings: written,
  grid: (c) => [num(c, "GROUPS"), 1, 1],
});

const WG = 64;

export const storageBarrierReference = defineReference<{ groups: number; rounds: number }>({
  op: defineOp({
    name: "load.storage_barriers",
    forward(g, _inputs, { groups, rounds }) {
      const y = g.tensor("y", [groups, WG], "u32");
      g.emit(storageBarriers, { y }, { WG, ROUNDS: rounds, GROUPS: groups });
      return { y };
    },
  }),
  cases: [
    { id: "1_group", inputs: {}, attrs: { groups: 1, rounds: 100 } },
    { id: "1000_groups", inputs: {}, attrs: { groups: 1000, rounds: 16 } },
  ],
  forward: (_inputs, _shapes, { groups, rounds }) => ({ y: rings(groups, WG, rounds) }),
  bound: () => 0,
});

const room = defineKernel({
  name: "workgroup_memory",
  source: memoryWgsl,
  bindings: written,
  grid: () => [GROUPS, 1, 1],
});
const GROUPS = 8;

/** Workgroup memory of these many bytes. */
export function memoryReference(bytes: readonly number[]): Reference<unknown> {
  return defineReference<{ words: number }>({
    op: defineOp({
      name: "limits.workgroup_memory",
      forward(g, _inputs, { words }) {
        const y = g.tensor("y", [GROUPS, WG], "u32");
        g.emit(room, { y }, { WORDS: words, WG });
        return { y };
      },
    }),
    cases: bytes.map((n) => ({ id: `${n}_bytes`, inputs: {}, attrs: { words: n / 4 } })),
    forward: (_inputs, _shapes, { words }) => ({
      y: Float64Array.from({ length: GROUPS * WG }, (_, at) => {
        const [group, lane] = [Math.floor(at / WG), at % WG];
        let sum = 0;
        for (let i = lane; i < words; i += WG) {
          sum = plus(times(sum, 31), times(words - 1 - i + group * words, GOLDEN));
        }
        return sum;
      }),
    }),
    bound: () => 0,
  });
}

/** A kernel with a grid that is not of its making. */
const workgroups = (grid: Three): Kernel =>
  defineKernel({
    name: "workgroups",
    source: workgroupsWgsl,
    bindings: written,
    grid: () => grid,
  });

/** Grids of these many workgroups. */
export function gridReference(grids: readonly Three[]): Reference<unknown> {
  return defineReference<{ grid: Three }>({
    op: defineOp({
      name: "limits.workgroups",
      forward(g, _inputs, { grid }) {
        const y = g.tensor("y", [count(grid)], "u32");
        g.emit(workgroups(grid), { y }, { COUNT: count(grid) });
        return { y };
      },
    }),
    cases: grids.map((grid) => ({ id: grid.join("x"), inputs: {}, attrs: { grid } })),
    forward: (_inputs, _shapes, { grid }) => ({
      y: Float64Array.from({ length: count(grid) }, (_, i) => plus(times(i, GOLDEN), 1)),
    }),
    bound: () => 0,
  });
}

const step = defineKernel({
  name: "step",
  source: stepWgsl,
  bindings: { a: "read", b: "read_write" },
  args: ["k"],
  grid: () => [1, 1, 1],
});

/** Many dispatches of one workgroup, each on what the one before wrote. */
export const manySmallReference = defineReference<{ steps: number }>({
  op: defineOp({
    name: "load.many_small",
    forward(g, { x }, { steps }) {
      let [from, to] = [x!, g.tensor("even", [WG], "u32")];
      const odd = g.tensor("odd", [WG], "u32");
      for (let k = 0; k < steps; k++) {
        g.emit(step, { a: from, b: to }, { WG }, { k });
        [from, to] = [to, k === 0 ? odd : from];
      }
      return { y: from };
    },
  }),
  types: { x: "u32" },
  cases: [10, 300, 3000].map((steps) => ({
    id: `${steps}`,
    inputs: { x: [WG] },
    attrs: { steps },
  })),
  data: (_c, rng) => ({ x: Float64Array.from({ length: WG }, () => rng.u32()) }),
  forward({ x }, _shapes, { steps }) {
    let values = Uint32Array.from(x!);
    for (let k = 0; k < steps; k++) {
      values = values.map((_, i) => plus(times(values[(i + 1) % WG]!, MULTIPLIER), k));
    }
    return { y: Float64Array.from(values) };
  },
  bound: () => 0,
});
