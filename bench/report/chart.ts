/** Log-log charts side by side in one PNG. */
import { writeFileSync } from "node:fs";
import { createCanvas } from "@napi-rs/canvas";
import {
  Chart,
  type ChartDataset,
  Legend,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Title,
} from "chart.js";
import { FONT, loadFont } from "../../src/train/report/font";

Chart.register(Legend, LineElement, LogarithmicScale, PointElement, ScatterController, Title);

/** Device pixels per unit, for sharp text. */
const SCALE = 1.5;
const PADDING = 16;
const HEADER = 46;
const TEXT = "#1f2937";
const QUIET = "#6b7280";
const GRID = "#e5e7eb";
/** Distinct in hue and lightness, in the order in which they are given out. */
export const PALETTE = [
  "#2f6fde",
  "#e0662b",
  "#1a9a6c",
  "#7a52c7",
  "#c23b6b",
  "#8a6d1a",
  "#2aa5b8",
  "#6b7280",
] as const;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export type Dataset = ChartDataset<"scatter", Point[]>;

export interface Panel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly datasets: Dataset[];
  /** Least and greatest value of an axis. */
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
  /** Marks of the x axis instead of 1, 2 and 5. */
  readonly xTicks?: ReadonlyMap<number, string>;
}

/** 1, 2 and 5 of every decade; the other marks of a logarithmic axis stay without text. */
function decadeLabel(value: string | number): string {
  const number = Number(value);
  return /^[125]\.000/.test(number.toExponential(3)) ? String(Number(number.toPrecision(1))) : "";
}

function options({ title, x, y, xRange, yRange, xTicks, datasets }: Panel) {
  const font = { family: FONT, size: 13 };
  const ticks = { color: QUIET, font, callback: decadeLabel, maxRotation: 0, autoSkip: false };
  const axis = (text: string, range?: readonly [number, number]) => ({
    type: "logarithmic" as const,
    grid: { color: GRID },
    ticks,
    title: { display: true, text, color: QUIET, font },
    ...(range && { min: range[0], max: range[1] }),
  });
  const labelled = xTicks && {
    afterBuildTicks: (scale: { ticks: { value: number }[] }) => {
      scale.ticks = [...xTicks.keys()].map((value) => ({ value }));
    },
    ticks: { ...ticks, callback: (value: string | number) => xTicks.get(Number(value)) ?? "" },
  };
  return {
    animation: false as const,
    responsive: false,
    devicePixelRatio: SCALE,
    clip: false as const,
    layout: { padding: 6 },
    plugins: {
      title: { display: true, text: title, color: TEXT, font: { ...font, size: 15, weight: 600 } },
      legend: {
        display: datasets.length > 1,
        labels: { font, color: TEXT, usePointStyle: true, boxHeight: 7 },
      },
    },
    scales: { x: { ...axis(x, xRange), ...labelled }, y: axis(y, yRange) },
  };
}

/** Draws the panels in rows of `columns`, each `width` × `height`, under a heading. */
export function drawPanels(
  panels: readonly Panel[],
  path: string,
  heading: { readonly title: string; readonly note: string },
  { columns, width, height }: { columns: number; width: number; height: number },
): void {
  loadFont();
  const rows = Math.ceil(panels.length / columns);
  const canvas = createCanvas(
    SCALE * (columns * (width + PADDING) + PADDING),
    SCALE * (HEADER + rows * (height + PADDING)),
  );
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(SCALE, SCALE);
  context.fillStyle = TEXT;
  context.font = `600 19px ${FONT}`;
  context.fillText(heading.title, PADDING + 6, 31);
  const titleWidth = context.measureText(heading.title).width;
  context.fillStyle = QUIET;
  context.font = `400 13px ${FONT}`;
  context.fillText(heading.note, PADDING + titleWidth + 22, 31);
  panels.forEach((panel, i) => {
    const part = createCanvas(width, height);
    // chart.js draws on any canvas of this interface; its types only know the browser's.
    const element = part as unknown as HTMLCanvasElement;
    const data = { datasets: panel.datasets };
    const chart = new Chart(element, { type: "scatter", data, options: options(panel) });
    const x = PADDING + (i % columns) * (width + PADDING);
    const y = HEADER + Math.floor(i / columns) * (height + PADDING);
    context.drawImage(part, x, y, width, height);
    chart.destroy();
  });
  writeFileSync(path, canvas.toBuffer("image/png"));
}
