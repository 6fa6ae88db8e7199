/** Charts side by side in one picture: PNG, or SVG where the file's name says so. */
import { type Canvas, createCanvas, type SvgCanvas, SvgExportFlag } from "@napi-rs/canvas";
import {
  Chart,
  type ChartDataset,
  Filler,
  Legend,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Title,
} from "chart.js";
import { writeAtomically } from "../platform/atomic_file";
import { loadFont } from "./font";
import { FONT } from "./panel";

Chart.register(
  Filler,
  Legend,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Title,
);

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
  /** Of both axes. */
  readonly scale: "linear" | "logarithmic";
  /** Least and greatest value of an axis. */
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
  /** Marks of the x axis instead of 1, 2 and 5. */
  readonly xTicks?: ReadonlyMap<number, string>;
  /** Datasets that stay out of the legend, by label. */
  readonly unlabelled?: ReadonlySet<string>;
}

/** 1, 2 and 5 of every decade; the other marks of a logarithmic axis stay without text. */
function decadeLabel(value: string | number): string {
  const number = Number(value);
  return /^[125]\.000/.test(number.toExponential(3)) ? String(Number(number.toPrecision(1))) : "";
}

function options(panel: Panel) {
  const { title, x, y, xRange, yRange, xTicks, datasets, scale, unlabelled } = panel;
  const font = { family: FONT, size: 13 };
  const decades = { callback: decadeLabel, autoSkip: false };
  const ticks = { color: QUIET, font, maxRotation: 0, ...(scale === "logarithmic" && decades) };
  const axis = (text: string, range?: readonly [number, number]) => ({
    type: scale,
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
    clip: false as const,
    layout: { padding: 6 },
    plugins: {
      title: { display: true, text: title, color: TEXT, font: { ...font, size: 15, weight: 600 } },
      legend: {
        display: datasets.length > 1,
        labels: {
          ...{ font, color: TEXT, usePointStyle: true, boxHeight: 7 },
          filter: ({ text }: { text: string }) => !unlabelled?.has(text),
        },
      },
    },
    scales: { x: { ...axis(x, xRange), ...labelled }, y: axis(y, yRange) },
  };
}

export interface Layout {
  readonly columns: number;
  /** Of one panel. */
  readonly width: number;
  readonly height: number;
}

export interface Heading {
  readonly title: string;
  readonly note: string;
}

/** Draws the panels in rows of `columns` under a heading; a path that ends in .svg gets an SVG. */
export function drawPanels(
  panels: readonly Panel[],
  path: string,
  heading: Heading,
  layout: Layout,
): void {
  loadFont();
  const svg = path.endsWith(".svg");
  writeAtomically(path, svg ? asSvg(panels, heading, layout) : asPng(panels, heading, layout));
}

function sizeOf(panels: readonly Panel[], { columns, width, height }: Layout) {
  const rows = Math.ceil(panels.length / columns);
  return [columns * (width + PADDING) + PADDING, HEADER + rows * (height + PADDING)] as const;
}

const placeOf = (i: number, { columns, width, height }: Layout) =>
  [
    PADDING + (i % columns) * (width + PADDING),
    HEADER + Math.floor(i / columns) * (height + PADDING),
  ] as const;

function asPng(panels: readonly Panel[], heading: Heading, layout: Layout): Buffer {
  const [width, height] = sizeOf(panels, layout);
  const canvas = createCanvas(SCALE * width, SCALE * height);
  const context = canvas.getContext("2d");
  context.scale(SCALE, SCALE);
  drawHeading(context, heading, width, height);
  for (const [i, panel] of panels.entries()) {
    const part = createCanvas(layout.width, layout.height);
    const chart = drawPanel(panel, part, SCALE);
    context.drawImage(part, ...placeOf(i, layout), layout.width, layout.height);
    chart.destroy();
  }
  return canvas.toBuffer("image/png");
}

/** A panel is an SVG in the SVG: chart.js sets the transformation of its canvas itself. */
function asSvg(panels: readonly Panel[], heading: Heading, layout: Layout): string {
  const make = (width: number, height: number) =>
    createCanvas(width, height, SvgExportFlag.ConvertTextToPaths);
  const [width, height] = sizeOf(panels, layout);
  const back = make(width, height);
  drawHeading(back.getContext("2d"), heading, width, height);
  const parts = panels.map((panel, i) => {
    const part = make(layout.width, layout.height);
    const chart = drawPanel(panel, part, 1);
    const [x, y] = placeOf(i, layout);
    const element = elementOf(part, i).replace("<svg", `<svg x="${x}" y="${y}"`);
    chart.destroy();
    return element;
  });
  const whole = elementOf(back, panels.length);
  return `${whole.slice(0, whole.lastIndexOf("</svg>"))}${parts.join("\n")}\n</svg>\n`;
}

/** Ids are numbered from 0 in every canvas, and must differ within a file. */
function elementOf(canvas: SvgCanvas, number: number): string {
  const text = canvas.getContent().toString("utf8");
  return text
    .slice(text.indexOf("<svg"))
    .replaceAll(/\bid="/g, `id="p${number}-`)
    .replaceAll("url(#", `url(#p${number}-`)
    .replaceAll('href="#', `href="#p${number}-`);
}

function drawHeading(
  context: ReturnType<Canvas["getContext"]>,
  { title, note }: Heading,
  width: number,
  height: number,
): void {
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.fillStyle = TEXT;
  context.font = `600 19px ${FONT}`;
  context.fillText(title, PADDING + 6, 31);
  const titleWidth = context.measureText(title).width;
  context.fillStyle = QUIET;
  context.font = `400 13px ${FONT}`;
  context.fillText(note, PADDING + titleWidth + 22, 31);
}

/** The chart that it gives must be destroyed, which empties its canvas. */
function drawPanel(panel: Panel, canvas: Canvas | SvgCanvas, scale: number): Chart {
  // chart.js draws on any canvas of this interface; its types only know the browser's.
  const element = canvas as unknown as HTMLCanvasElement;
  const data = { datasets: panel.datasets };
  const how = { ...options(panel), devicePixelRatio: scale };
  return new Chart(element, { type: "scatter", data, options: how }) as unknown as Chart;
}
