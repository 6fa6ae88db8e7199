/** The reliability diagram: the share that is lesion where a probability is given, against the diagonal. */
import { createCanvas } from "@napi-rs/canvas";
import {
  Chart,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Title,
} from "chart.js";
import type { Reliability } from "../eval/reliability";
import { writeAtomically } from "../platform/atomic_file";
import { loadFont } from "./font";
import { FONT } from "./panel";

const EDGE = 560;
const SCALE = 1.5;
const COLOURS = {
  text: "#1f2937",
  quiet: "#6b7280",
  grid: "#e5e7eb",
  found: "#e0662b",
  right: "#6b7280",
} as const;

/** Largest point, of the bin with the most voxels. */
const MOST_RADIUS = 11;

Chart.register(Legend, LinearScale, LineController, LineElement, PointElement, Title);

/** Draws it as a PNG; the area of a point stands for its voxels. */
export function drawReliability({ voxels, brier, ece, bins }: Reliability, path: string): void {
  loadFont();
  const shown = bins.filter((bin) => bin.voxels > 0);
  const most = Math.max(1, ...shown.map((bin) => bin.voxels));
  const canvas = createCanvas(EDGE, EDGE);
  const context = canvas.getContext("2d");
  const font = { family: FONT, size: 13 };
  const axis = (text: string) => ({
    ...({ type: "linear", min: 0, max: 1, grid: { color: COLOURS.grid } } as const),
    ticks: { color: COLOURS.quiet, font, stepSize: 0.2 },
    title: { display: true, text, color: COLOURS.text, font },
  });
  const numbers =
    brier === null || ece === null
      ? "no voxel has a probability of 0.01 or more"
      : `calibration error ${ece.toFixed(3)}   ·   Brier score ${brier.toFixed(3)}   ·   ${voxels} voxels`;
  const background = {
    id: "background",
    beforeDraw: () => {
      context.save();
      context.globalCompositeOperation = "destination-over";
      context.fillStyle = "#ffffff";
      context.fillRect(0, 0, EDGE, EDGE);
      context.restore();
    },
  };
  // chart.js draws on any canvas of this interface; its types only know the browser's.
  const chart = new Chart(canvas as unknown as HTMLCanvasElement, {
    type: "line",
    data: {
      datasets: [
        {
          label: "lesion where it is said",
          data: shown.map(({ probability, share }) => ({ x: probability!, y: share! })),
          ...{ borderColor: COLOURS.found, backgroundColor: COLOURS.found, borderWidth: 2 },
          pointRadius: shown.map((bin) =>
            Math.max(2.5, MOST_RADIUS * Math.sqrt(bin.voxels / most)),
          ),
        },
        {
          label: "as it should be",
          data: [
            { x: 0, y: 0 },
            { x: 1, y: 1 },
          ],
          ...{ borderColor: COLOURS.right, borderDash: [6, 5], borderWidth: 1.5, pointRadius: 0 },
        },
      ],
    },
    options: {
      ...{ animation: false, responsive: false, devicePixelRatio: SCALE, parsing: false },
      ...{ clip: false, layout: { padding: { top: 10, bottom: 10, left: 10, right: 18 } } },
      plugins: {
        legend: { labels: { font, color: COLOURS.text, boxWidth: 18, boxHeight: 2 } },
        title: {
          display: true,
          text: ["Reliability of the probabilities", numbers],
          color: COLOURS.text,
          font: { ...font, size: 15, weight: 600 },
        },
      },
      scales: { x: axis("probability that is said"), y: axis("share that is lesion") },
    },
    plugins: [background],
  });
  const png = canvas.toBuffer("image/png");
  chart.destroy();
  writeAtomically(path, png);
}
