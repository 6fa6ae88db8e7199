/** Pooling that normalises on the way (norm_max_pool3d.wgsl), against both ops in float64. */
import { groupNorm } from "../../../kernels/norm/group_norm";
import { maxPool3d } from "../../../kernels/resize/max_pool3d";
import { Graph } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";
import { Philox } from "../../core/random";
import { elements, type Shape, state } from "../../core/tensor";
import { Program } from "../../gpu/program";
import { groupNormReference } from "../../reference/group_norm";
import { maxPool3dReference } from "../../reference/max_pool3d";
import type { Outcome, PortabilityCase } from "../case";
import { inTwoRows } from "../grid_rows";
import { compare } from "../op_checks";
import type { Rig } from "../op_run";
import { shuffle } from "../shuffled_grid";

const SHAPES: readonly Shape[] = [
  [2, 4, 4, 6, 8],
  [1, 2, 2, 2, 4],
  [1, 6, 6, 4, 20],
];
const ATTRS = { groups: 2, eps: 1e-5, relu: true };
const WAYS = { two_rows: inTwoRows, shuffled: shuffle } as const;
/** Rounding may choose between two candidates that are as near as this. */
const NEAR = 1e-5;

export function fusedPoolCases(seed: number): PortabilityCase[] {
  const row = "maxPool3d.fused";
  const cases = SHAPES.map((shape, i): PortabilityCase => {
    return {
      ...{ row, name: shape.join("x"), seed, short: i === 0 },
      outline: (caps) => record(caps, shape).g,
      run: (rig) => run(rig, record(rig.caps, shape), shape, seed),
    };
  });
  const shape = SHAPES[0]!;
  for (const [way, turn] of Object.entries(WAYS) as [keyof typeof WAYS, typeof inTwoRows][]) {
    const turned = (caps: Capabilities) => {
      const recorded = record(caps, shape);
      return turn(recorded.g) && recorded;
    };
    cases.push({
      ...{ row, name: `${shape.join("x")}_${way}`, seed, short: true, way },
      outline: (caps) => turned(caps)?.g,
      run: (rig) => run(rig, turned(rig.caps)!, shape, seed),
    });
  }
  return cases;
}

function record(caps: Capabilities, shape: Shape) {
  const g = new Graph(caps);
  const [, C = 0] = shape;
  const inputs = { x: state("x", shape), weight: state("weight", [C]), bias: state("bias", [C]) };
  const { y: normed } = g.apply(groupNorm, inputs, ATTRS);
  const { y, argmax } = g.apply(maxPool3d, { x: normed! }, {});
  return { g, inputs, normed: g.materialise(normed!), y: y!, argmax: argmax! };
}

async function run(
  { memory }: Rig,
  { g, inputs, normed, y, argmax }: ReturnType<typeof record>,
  shape: Shape,
  seed: number,
): Promise<Outcome> {
  const rng = new Philox(seed, 53, ...shape);
  const values: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(inputs)) {
    const data = Float32Array.from({ length: elements(t.shape) }, () => rng.normal());
    memory.write(t, data);
    values[name] = Float64Array.from(data);
  }
  const program = await Program.compile(memory, g, "fused pooling", [normed, y, argmax]);
  program.run();
  const wide = await memory.readF32(normed, program.bufferOf(normed));
  const pooled = await memory.readF32(y, program.bufferOf(y));
  const which = await memory.readU32(argmax, program.bufferOf(argmax));
  program.destroy();
  for (const t of Object.values(inputs)) memory.release(t);

  const shapes = { x: shape, weight: [shape[1]!], bias: [shape[1]!] };
  const norm = groupNormReference.forward(values, shapes, ATTRS).y!;
  const bounds = groupNormReference.bound("y", values, shapes, ATTRS) as Float64Array;
  const exact = maxPool3dReference.forward({ x: norm }, { x: shape }, {});
  const most = bounds.reduce((a, b) => Math.max(a, b), 0);
  const close = runnersUp(norm, shape).map((second, i) =>
    exact.y![i]! > 0 && exact.y![i]! - second < NEAR ? 7 : 0,
  );
  const compared = [
    compare("y", shape, wide.subarray(0, norm.length), norm, bounds),
    compare("pooled", y.shape, pooled.subarray(0, close.length), exact.y!, most),
    compare("argmax", y.shape, which.subarray(0, close.length), exact.argmax!, close),
  ];
  return {
    worst: Math.max(...compared.map(({ worst }) => worst)),
    faults: compared.flatMap(({ fault }) => fault ?? []),
  };
}

/** The second largest value of each window, from what is left when the largest are taken out. */
function runnersUp(x: Float64Array, shape: Shape): Float64Array {
  const { y, argmax } = maxPool3dReference.forward({ x }, { x: shape }, {});
  const dys = { y: new Float64Array(y!.length).fill(Number.POSITIVE_INFINITY) };
  const taken = maxPool3dReference.backward!({ x }, { x: shape }, {}, dys).x!;
  const rest = x.map((v, i) => (taken[i] === Number.POSITIVE_INFINITY ? -1 : v));
  return maxPool3dReference.forward({ x: rest }, { x: shape }, {}).y!.slice(0, argmax!.length);
}
