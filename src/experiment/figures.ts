/** The pictures of an experiment: validation Dice against training time and against patches. */
import { join } from "node:path";
import { type Dataset, drawPanels, PALETTE, type Panel } from "../pictures/panels";
import { type ArmResult, type FigureResult, meanCurve } from "./results";

const AXES = {
  seconds: { title: "Dice against training time", x: "training time, minutes", unit: 60 },
  patches: { title: "Dice against patches", x: "thousands of patches trained on", unit: 1000 },
} as const;

const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** The mean over seeds as a line, what lies between the worst and the best seed as a band. */
function armDatasets(arm: ArmResult, index: number, axis: keyof typeof AXES): Dataset[] {
  const { unit } = AXES[axis];
  const curves = arm.runs.map(({ points }) => points);
  const bands = meanCurve(curves, axis).map((band) => ({ ...band, x: band.x / unit }));
  const colour = PALETTE[index % PALETTE.length]!;
  const style = {
    showLine: true,
    pointRadius: 0,
    borderColor: colour,
    pointStyle: "line",
  } as const;
  const edge = { ...style, borderWidth: 0, backgroundColor: `${colour}1f` };
  const line = {
    ...{ ...style, label: arm.name, borderWidth: 2 },
    // With more arms than colours the dashes tell them apart.
    borderDash: DASHES[Math.floor(index / PALETTE.length) % DASHES.length]!,
    data: bands.map(({ x, mean }) => ({ x, y: mean })),
  };
  if (curves.filter(({ length }) => length > 0).length < 2) return [line];
  return [
    line,
    { ...edge, label: `${arm.name} low`, data: bands.map(({ x, low }) => ({ x, y: low })) },
    {
      ...edge,
      label: `${arm.name} high`,
      data: bands.map(({ x, high }) => ({ x, y: high })),
      fill: "-1",
    },
  ];
}

function panel({ arms }: FigureResult, axis: keyof typeof AXES): Panel {
  const { title, x } = AXES[axis];
  const datasets = arms.flatMap((arm, i) => armDatasets(arm, i, axis));
  const points = datasets.flatMap(({ data }) => data);
  const greatest = Math.max(0.1, ...points.map((point) => point.y));
  return {
    title,
    x,
    y: "validation Dice of w̄",
    datasets,
    scale: "linear",
    xRange: [0, Math.max(1e-3, ...points.map((point) => point.x))],
    yRange: [0, Math.min(1, Math.ceil(10 * greatest + 0.5) / 10)],
    unlabelled: new Set(arms.flatMap(({ name }) => [`${name} low`, `${name} high`])),
  };
}

/** Writes `<name>.png` and `<name>.svg` into `folder`. @param note stands beside the title */
export function drawFigure(result: FigureResult, folder: string, note: string): void {
  const panels = (["seconds", "patches"] as const).map((axis) => panel(result, axis));
  const { name, title } = result.figure;
  const layout = { columns: 2, width: 640, height: 500 };
  for (const type of ["png", "svg"]) {
    drawPanels(panels, join(folder, `${name}.${type}`), { title, note }, layout);
  }
}
