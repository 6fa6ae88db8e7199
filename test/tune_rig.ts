/** A test problem for the tuner: conv3d with right and wrong variants, and a store for the findings. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConvVariant, type ForwardProblem, geometryOf } from "../kernels/conv3d/contract";
import { convVariants } from "../kernels/conv3d/forward";
import { defineKernel, grid1d, type Kernel } from "../src/core/kernel";
import type { Op } from "../src/core/op";
import { elements } from "../src/core/tensor";
import type { Picked } from "../src/core/variant";
import type { Device } from "../src/gpu/device";
import { FileTuneStore } from "../src/platform/tune_store";
import { opTasks } from "../src/tune/op_tasks";
import type { Task } from "../src/tune/task";

/** Overwrites `count` words of y from `first` on; where nothing is left to do, that is fast. */
const scribble = (source: string): Kernel =>
  defineKernel({
    name: "scribble",
    source: `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
const FIRST: u32 = 0u;
const COUNT: u32 = 1u;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < COUNT) { ${source} }
}
`,
    bindings: { y: "read_write" },
    grid: (c) => grid1d(Number(c.COUNT), 64),
  });
const zeros = scribble("y[FIRST + id.x] = 0.0;");
const invalid = scribble("y[FIRST + id.x] = nonsense;");

export const plain = convVariants.find(({ name }) => name === "plain")!;
export const naive = convVariants.find(({ name }) => name === "naive")!;

export function variant(name: string, emit: ConvVariant["emit"]): ConvVariant {
  return { name, supported: () => true, emit };
}

/** Fast, and wrong everywhere. */
export const wrong = variant("wrong", (g, { y }) =>
  g.emit(zeros, { y }, { FIRST: 0, COUNT: elements(y.shape) }),
);
/** Leaves all samples but the first as they were. */
export const half = variant("half", (g, t, geometry) => naive.emit(g, t, { ...geometry, N: 1 }));
/** Right but for one element out of thousands. */
export const nearly = variant("nearly", (g, t, geometry) => {
  plain.emit(g, t, geometry);
  g.emit(zeros, { y: t.y }, { FIRST: 1234, COUNT: 1 });
});
export const broken = variant("broken", (g, { y }) =>
  g.emit(invalid, { y }, { FIRST: 0, COUNT: 1 }),
);

export const PROBLEM: ForwardProblem = {
  ...{ N: 2, CIN: 3, COUT: 5, D: 8, H: 9, W: 12, K: 3 },
  ...{ NORM: 0, MOMENTS: 0, F16: 0 },
};

/** A convolution with other variants. */
function opWith(variants: readonly ConvVariant[]): Op {
  return {
    name: "conv3d",
    forward(g, { x, w, b }) {
      const [n, , ...space] = x!.shape;
      const y = g.tensor("y", [n!, w!.shape[0]!, ...space]);
      const geometry = geometryOf(x!, y, w!);
      const problem: ForwardProblem = { ...geometry, NORM: 0, MOMENTS: 0, F16: 0 };
      g.pick("conv3d", variants, problem).emit(g, { x: x!, w: w!, b: b!, y }, geometry);
      return { y };
    },
  };
}

function picked(variants: readonly ConvVariant[], problem: ForwardProblem): Picked {
  const candidates = variants.map(({ name }) => name);
  return { op: "conv3d", problem, candidates, slow: [], chosen: candidates[0]! };
}

/** Tasks that choose between some variants. */
export function convTasks(
  device: Device,
  variants: readonly ConvVariant[],
  ...problems: ForwardProblem[]
): Promise<Task[]> {
  const all = problems.length > 0 ? problems : [PROBLEM];
  return opTasks(
    device,
    [opWith(variants)],
    all.map((problem) => picked(variants, problem)),
  );
}

/** A store in a folder of its own that collects what it warns of. */
export class TestStore extends FileTuneStore {
  readonly warnings: string[] = [];

  constructor() {
    super((line) => this.warnings.push(line), mkdtempSync(join(tmpdir(), "voxgrad-tune-")));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
