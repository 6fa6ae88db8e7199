/** The contrast of a scanner's sequence: a curve of intensities, and the differences that no curve says. */
import type { Philox } from "../core/random";

/** Steps of the curve in one unit of intensity, and the units that it covers. */
const STEPS = 128;
const LOW = -0.5;
const HIGH = 6;

/** Relative intensity (air 0, white matter 1) → that of another sequence, by a table. */
export type Curve = Float32Array;

export interface Contrast {
  readonly curve: Curve;
  /** Added to grey matter, as a share of white matter. */
  readonly grey: number;
  /** Factor on what lies outside of the brain, and how it varies from place to place. */
  readonly scalp: number;
  readonly scalpDepth: number;
  /** Depth of regional differences of tissue. */
  readonly regional: number;
}

export const CONTRAST = {
  /** Of fluid. */
  fluid: [0.08, 0.6],
  /** Of grey matter above white. */
  grey: [0.04, 0.36],
  /** Of a lesion that lies half above white matter, over grey matter. */
  lesion: [0.14, 0.75],
  /** Of tissue twice as bright as white matter, over such a lesion. */
  bright: [0.1, 1.1],
  gamma: [0.75, 1.35],
  /** Height of waves in the curve, and their length in units of white matter. */
  wave: [0, 0.025],
  waveLength: [0.35, 1.2],
  greyShift: [-0.05, 0.05],
  /** Logarithm of the factor on the scalp. */
  scalp: [-1.2, 1.1],
  scalpDepth: [0, 0.35],
  regional: [0, 0.03],
} as const satisfies Record<string, readonly [number, number]>;

export function drawContrast(random: Philox): Contrast {
  const within = ([low, high]: readonly [number, number]) => random.uniform(low, high);
  const fluid = within(CONTRAST.fluid);
  const grey = within(CONTRAST.grey);
  const lesion = grey + within(CONTRAST.lesion);
  const bright = lesion + within(CONTRAST.bright);
  const nodes: readonly (readonly [number, number])[] = [
    [LOW, LOW * 0.6],
    [0, 0],
    [0.35, fluid],
    [0.8, Math.max(fluid + 0.05, 0.8 + random.uniform(-0.06, 0.04))],
    [1, 1],
    [1.16, 1 + grey],
    [1.5, 1 + lesion],
    [2, 1 + bright],
    [3.5, 1 + bright + random.uniform(0.4, 2)],
    [HIGH, 1 + bright + random.uniform(2, 4)],
  ];
  const gamma = within(CONTRAST.gamma);
  const waves = [0, 1].map(() => {
    const [height, length] = [within(CONTRAST.wave), within(CONTRAST.waveLength)];
    return { height, length, phase: random.uniform(0, 2 * Math.PI) };
  });
  return {
    curve: tabulated((r) => {
      const even = alongNodes(nodes, r);
      let wave = 0;
      for (const { height, length, phase } of waves) {
        const at = (x: number) => height * Math.sin((2 * Math.PI * x) / length + phase);
        wave += at(r) - at(1);
      }
      const value = even + wave * Math.min(1, Math.max(0, 3 * r));
      return Math.sign(value) * Math.abs(value) ** gamma;
    }),
    grey: within(CONTRAST.greyShift),
    scalp: Math.exp(within(CONTRAST.scalp)),
    scalpDepth: within(CONTRAST.scalpDepth),
    regional: within(CONTRAST.regional),
  };
}

/** The same scanner on another day. */
export function nearContrast(of: Contrast, random: Philox): Contrast {
  const factor = (depth: number) => Math.exp(depth * random.normal());
  const power = factor(0.03);
  return {
    ...of,
    curve: of.curve.map((v) => Math.sign(v) * Math.abs(v) ** power),
    grey: of.grey + 0.01 * random.normal(),
    scalp: of.scalp * factor(0.1),
  };
}

/** Smooth through the nodes: cubic, without overshoot where they rise (Fritsch and Carlson). */
function alongNodes(nodes: readonly (readonly [number, number])[], r: number): number {
  const last = nodes.length - 1;
  const k = Math.min(
    last - 1,
    Math.max(0, nodes.findIndex(([x]) => x > r) - 1 + (r >= nodes[last]![0] ? last + 1 : 0)),
  );
  const slope = (i: number) =>
    (nodes[i + 1]![1] - nodes[i]![1]) / (nodes[i + 1]![0] - nodes[i]![0]);
  const tangent = (i: number) => {
    if (i === 0) return slope(0);
    if (i === last) return slope(last - 1);
    const [a, b] = [slope(i - 1), slope(i)];
    return a * b <= 0 ? 0 : (2 * a * b) / (a + b);
  };
  const [x0, y0] = nodes[k]!;
  const [x1, y1] = nodes[k + 1]!;
  const h = x1 - x0;
  const t = (r - x0) / h;
  return (
    (1 + 2 * t) * (1 - t) ** 2 * y0 +
    t * (1 - t) ** 2 * h * tangent(k) +
    t * t * (3 - 2 * t) * y1 +
    t * t * (t - 1) * h * tangent(k + 1)
  );
}

function tabulated(of: (r: number) => number): Curve {
  return Float32Array.from({ length: Math.round((HIGH - LOW) * STEPS) + 2 }, (_, i) =>
    of(LOW + i / STEPS),
  );
}

/** Linear between the steps; beyond the ends, the last value. */
export function toned(curve: Curve, r: number): number {
  const u = (r - LOW) * STEPS;
  const at = Math.min(curve.length - 1.001, Math.max(0, u));
  const i = at | 0;
  return curve[i]! + (curve[i + 1]! - curve[i]!) * (at - i);
}
