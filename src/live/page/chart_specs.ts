/** The charts: a title each, and the curves of the runs that are shown. */

import { type Axis, type NumberKey, type Points, pointsOf, smooth } from "./series";
import type { Run } from "./store";

export interface Curve {
  readonly label: string;
  readonly colour: string;
  readonly dashed: boolean;
  readonly faint: boolean;
  readonly points: Points;
}

export interface ChartSpec {
  readonly title: string;
  readonly range?: readonly [number, number];
  readonly logarithmic?: boolean;
  /** The axis begins at 0. */
  readonly fromZero?: boolean;
  readonly curves: readonly Part[];
  /** Left out where no run has a number for it. */
  readonly optional?: boolean;
}

interface Part {
  readonly key: NumberKey;
  readonly label: string;
  /** Where one run is shown; several have a colour each. */
  readonly colour: string;
  readonly dashed?: boolean;
  readonly smoothed?: boolean;
}

const BLUE = "#7cb7ff";
const ORANGE = "#ff8a3d";
const GREEN = "#58c98b";
const VIOLET = "#c79bff";
const YELLOW = "#ffd166";
const PINK = "#ff7eb6";

/** Of runs that lie over one another. */
const RUN_COLOURS = [BLUE, ORANGE, GREEN, VIOLET, YELLOW, PINK] as const;
export const runColour = (place: number): string => RUN_COLOURS[place % RUN_COLOURS.length]!;

export const CHARTS: readonly ChartSpec[] = [
  {
    title: "Loss",
    curves: [{ key: "loss", label: "smoothed", colour: BLUE, smoothed: true }],
  },
  {
    title: "Validation Dice",
    range: [0, 1],
    curves: [
      { key: "diceMomentum", label: "w̄", colour: ORANGE },
      { key: "diceStudent", label: "w", colour: BLUE, dashed: true },
    ],
  },
  {
    title: "Validation lesion F1",
    range: [0, 1],
    curves: [
      { key: "lesionF1Momentum", label: "w̄", colour: ORANGE },
      { key: "lesionF1Student", label: "w", colour: BLUE, dashed: true },
    ],
  },
  {
    title: "Learning rate",
    logarithmic: true,
    curves: [{ key: "learningRate", label: "rate", colour: VIOLET }],
  },
  {
    title: "Selected patches with a lesion",
    range: [0, 1],
    curves: [{ key: "positiveFraction", label: "share", colour: GREEN, smoothed: true }],
  },
  {
    title: "Gradient by the logits",
    logarithmic: true,
    optional: true,
    curves: [
      { key: "gradientLesion", label: "lesion", colour: GREEN, smoothed: true },
      { key: "gradientOther", label: "other", colour: BLUE, smoothed: true, dashed: true },
      {
        key: "gradientEmpty",
        label: "empty patches",
        colour: ORANGE,
        smoothed: true,
        dashed: true,
      },
    ],
  },
  {
    title: "Selection: agreement of w̄ with w",
    range: [-1, 1],
    optional: true,
    curves: [
      { key: "selectedAgreement", label: "ranks", colour: BLUE, smoothed: true },
      { key: "poolAgreement", label: "of the pool", colour: ORANGE, smoothed: true, dashed: true },
      { key: "selectionAgreement", label: "selected", colour: GREEN, smoothed: true, dashed: true },
      { key: "selectionOverlap", label: "w̄ before", colour: VIOLET, smoothed: true, dashed: true },
    ],
  },
  {
    title: "Speed",
    fromZero: true,
    curves: [{ key: "iterationsPerSecond", label: "iterations/s", colour: YELLOW }],
  },
];

/** The curves of a chart that have points, and whose runs are shown. */
export function curvesOf(
  { curves, logarithmic }: ChartSpec,
  runs: readonly Run[],
  axis: Axis,
): Curve[] {
  const shown = runs.filter((run) => run.shown);
  return shown.flatMap((run) =>
    curves.flatMap(({ key, label, colour, dashed = false, smoothed = false }): Curve[] => {
      const all = pointsOf(run.lines, key, axis);
      const points = logarithmic ? positive(all) : all;
      if (points.x.length === 0) return [];
      const own = runs.length > 1 ? runColour(runs.indexOf(run)) : colour;
      const curve = { label, colour: own, dashed, faint: false, points };
      if (!smoothed || points.x.length < 3) return [curve];
      const raw = { ...curve, label: "", dashed: false, faint: true };
      const mean = { ...curve, points: smooth(points) };
      return key === "loss" ? [raw, mean] : [mean];
    }),
  );
}

/** Zero has no place on a logarithmic axis. */
function positive({ x, y }: Points): Points {
  const kept = [...y.keys()].filter((i) => y[i]! > 0);
  return { x: kept.map((i) => x[i]!), y: kept.map((i) => y[i]!) };
}
