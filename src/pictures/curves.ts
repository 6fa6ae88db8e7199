import { createCanvas, type SKRSContext2D } from "@napi-rs/canvas";
import {
  Chart,
  type ChartDataset,
  type ChartOptions,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  Title,
} from "chart.js";
import { writeAtomically } from "../platform/atomic_file";
import { duration } from "../terminal/progress";
import type { Metrics } from "../train/metrics";
import { loadFont } from "./font";
import { FONT } from "./panel";

const WIDTH = 760;
const HEIGHT = 420;
const PADDING = 16;
const HEADER = 52;
/** Device pixels per unit, for sharp text. */
const SCALE = 1.5;
const COLOURS = {
  text: "#1f2937",
  quiet: "#6b7280",
  grid: "#e5e7eb",
  student: "#2f6fde",
  momentum: "#e0662b",
  faint: "#2f6fde40",
  rate: "#7a52c7",
  positive: "#1a9a6c",
  lesions: "#a21caf",
} as const;

type Point = { x: number; y: number };

/**
 * Draws the training curves as one PNG: loss, validation Dice of w and w̄, positive share among the
 * selected patches and learning rate, over iterations, with the training time below them; where there is
 * telemetry of mining, gradient norms by class and how far w and w̄ agree.
 * @param metrics the lines of `metrics.jsonl`, oldest first; may be empty
 */
export function drawCurves(metrics: readonly Metrics[], path: string, title = "Training"): void {
  loadFont();
  const charts = [lossChart, diceChart, positiveChart, learningRateChart];
  if (points(metrics, "selectedAgreement").length > 0) charts.push(gradientChart, agreementChart);
  const canvas = createCanvas(
    SCALE * (2 * WIDTH + 3 * PADDING),
    SCALE * (HEADER + (charts.length / 2) * (HEIGHT + PADDING)),
  );
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(SCALE, SCALE);
  context.fillStyle = COLOURS.text;
  context.font = `600 20px ${FONT}`;
  context.fillText(title, PADDING + 6, 34);
  const titleWidth = context.measureText(title).width;
  context.fillStyle = COLOURS.quiet;
  context.font = `400 14px ${FONT}`;
  context.fillText(summary(metrics), PADDING + titleWidth + 24, 34);
  charts.forEach((make, i) => {
    const x = PADDING + (i % 2) * (WIDTH + PADDING);
    const y = HEADER + Math.floor(i / 2) * (HEIGHT + PADDING);
    drawChart(context, make(metrics), metrics, x, y);
  });
  writeAtomically(path, canvas.toBuffer("image/png"));
}

function summary(metrics: readonly Metrics[]): string {
  const last = metrics.at(-1);
  if (!last) return "no reports yet";
  const parts = [`${last.iteration} iterations in ${duration(last.seconds)}`];
  const dice = points(metrics, "diceMomentum");
  if (dice.length > 0) {
    const best = dice.reduce((a, b) => (b.y > a.y ? b : a));
    parts.push(`best Dice of w̄ ${best.y.toFixed(3)} at iteration ${best.x}`);
  }
  return parts.join("   ·   ");
}

/** The reports that have a number for `key`. */
function points(metrics: readonly Metrics[], key: keyof Metrics): Point[] {
  return metrics.flatMap(({ iteration: x, [key]: y }) =>
    typeof y === "number" && Number.isFinite(y) ? [{ x, y }] : [],
  );
}

/** Means over the last tenth or so of what came before, against the scatter of single batches. */
function smooth(values: Point[]): Point[] {
  const weight = 10 / Math.max(10, values.length);
  let mean = 0;
  return values.map(({ x, y }, i) => {
    mean += Math.max(weight, 1 / (i + 1)) * (y - mean);
    return { x, y: mean };
  });
}

interface ChartSpec {
  readonly title: string;
  readonly datasets: ChartDataset<"line", Point[]>[];
  readonly range?: { readonly min: number; readonly max: number };
  readonly logarithmic?: boolean;
}

function line(label: string, data: Point[], colour: string, width = 2) {
  // A line of one point would be invisible; many points would hide the line.
  const pointRadius = data.length <= 40 ? 2.5 : 0;
  const style = { borderColor: colour, backgroundColor: colour, borderWidth: width, pointRadius };
  return { label, data, ...style };
}

function lossChart(metrics: readonly Metrics[]): ChartSpec {
  const loss = points(metrics, "loss");
  const datasets = [
    line("smoothed", smooth(loss), COLOURS.student),
    { ...line("selected batch", loss, COLOURS.faint, 1), pointRadius: loss.length > 1 ? 0 : 2.5 },
  ];
  return { title: "Loss", datasets };
}

function diceChart(metrics: readonly Metrics[]): ChartSpec {
  const datasets = [
    line("Dice of w̄ (momentum)", points(metrics, "diceMomentum"), COLOURS.momentum),
    line("Dice of w (student)", points(metrics, "diceStudent"), COLOURS.student),
    line("lesion F1 of w̄", points(metrics, "lesionF1Momentum"), COLOURS.lesions),
  ];
  return { title: "Validation Dice and lesion F1", datasets, range: { min: 0, max: 1 } };
}

function positiveChart(metrics: readonly Metrics[]): ChartSpec {
  const share = points(metrics, "positiveFraction");
  const datasets = [line("share", smooth(share), COLOURS.positive)];
  const title = "Patches with a lesion among the selected (smoothed)";
  return { title, datasets, range: { min: 0, max: 1 } };
}

function learningRateChart(metrics: readonly Metrics[]): ChartSpec {
  const rates = points(metrics, "learningRate").filter(({ y }) => y > 0);
  const rate = { ...line("learning rate", rates, COLOURS.rate), stepped: true };
  return { title: "Learning rate", datasets: [rate], logarithmic: true };
}

function gradientChart(metrics: readonly Metrics[]): ChartSpec {
  const norms = (key: keyof Metrics) => smooth(points(metrics, key).filter(({ y }) => y > 0));
  const datasets = [
    line("lesion voxels", norms("gradientLesion"), COLOURS.positive),
    line("other voxels", norms("gradientOther"), COLOURS.student),
    line("patches without lesion", norms("gradientEmpty"), COLOURS.momentum),
  ];
  const title = "Norm of the gradient by the logits (smoothed)";
  return { title, datasets, logarithmic: true };
}

function agreementChart(metrics: readonly Metrics[]): ChartSpec {
  const drawn = [
    line("ranks, selected patches", smooth(points(metrics, "selectedAgreement")), COLOURS.student),
    line("ranks, pool", smooth(points(metrics, "poolAgreement")), COLOURS.momentum),
    line("selection, w", smooth(points(metrics, "selectionAgreement")), COLOURS.positive),
    line("selection, w̄ before", smooth(points(metrics, "selectionOverlap")), COLOURS.rate),
  ];
  const datasets = drawn.filter(({ data }) => data.length > 0);
  const title = "Agreement of w̄ with w and with itself (smoothed)";
  return { title, datasets, range: { min: -1, max: 1 } };
}

Chart.register(
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  Title,
);

function drawChart(
  context: SKRSContext2D,
  spec: ChartSpec,
  metrics: readonly Metrics[],
  x: number,
  y: number,
): void {
  const canvas = createCanvas(WIDTH, HEIGHT);
  // chart.js draws on any canvas of this interface; its types only know the browser's.
  const element = canvas as unknown as HTMLCanvasElement;
  const chart = new Chart(element, {
    type: "line",
    data: { datasets: spec.datasets },
    options: chartOptions(spec, metrics),
  });
  context.drawImage(canvas, x, y, WIDTH, HEIGHT);
  chart.destroy();
}

function chartOptions(spec: ChartSpec, metrics: readonly Metrics[]): ChartOptions<"line"> {
  const font = { family: FONT, size: 13 };
  const grid = { color: COLOURS.grid };
  const ticks = { color: COLOURS.quiet, font };
  const titleFont = { ...font, size: 15, weight: 600 };
  const labels = { font, color: COLOURS.text, boxWidth: 18, boxHeight: 2 };
  const xTicks = {
    ...ticks,
    maxTicksLimit: 8,
    callback: (iteration: string | number) => iterationLabel(Number(iteration), metrics),
  };
  return {
    animation: false,
    responsive: false,
    devicePixelRatio: SCALE,
    parsing: false,
    normalized: true,
    // Points on the frame are drawn whole.
    clip: false,
    layout: { padding: 6 },
    plugins: {
      legend: { display: spec.datasets.length > 1, labels },
      title: { display: true, text: spec.title, color: COLOURS.text, font: titleFont },
    },
    scales: {
      x: {
        type: "linear",
        min: 0,
        max: Math.max(1, metrics.at(-1)?.iteration ?? 1),
        grid,
        ticks: xTicks,
        title: { display: true, text: "iterations, training time", color: COLOURS.quiet, font },
      },
      y: spec.logarithmic
        ? { type: "logarithmic", grid, ticks: { ...ticks, callback: powerLabel } }
        : { type: "linear", grid, ticks, ...spec.range },
    },
  };
}

/** Iteration and, below it, the training time it was reached at. */
function iterationLabel(iteration: number, metrics: readonly Metrics[]): string[] {
  const label = iteration >= 10_000 ? `${iteration / 1000}k` : String(iteration);
  const after = metrics.find((report) => report.iteration >= iteration);
  if (!after || iteration === 0 || after.iteration === 0) return [label];
  return [label, duration((after.seconds * iteration) / after.iteration)];
}

/** Labels 1, 2 and 5 of every decade; the rest of a logarithmic axis stays unlabelled. */
function powerLabel(value: string | number): string {
  // One rounded digit, because the axis counts in floating point: 0.00030000000000000003.
  return /^[125]\.000/.test(Number(value).toExponential(3)) ? Number(value).toExponential(0) : "";
}
