/** One chart: uPlot draws it; its legend says the values where the page reads. */
import uPlot from "uplot";
import { make } from "../../viewer/page/dom";
import { type ChartSpec, type Curve, curvesOf } from "./chart_specs";
import { type Axis, valueAt } from "./series";
import type { Run } from "./store";
import { short, tick, timeTick } from "./text";

const TEXT = "#9aa3af";
const GRID = "#262b33";
const FONT = "11px Inter, sans-serif";
/** A line of few points would hide that they are points. */
const FEW = 12;
/** Steps of an axis of training time, in seconds. */
const TIMES = [
  ...[1, 2, 5, 10, 20, 60, 120, 300, 600, 1200],
  ...[1, 2, 4, 6, 12, 24, 48, 96, 192].map((hours) => 3600 * hours),
];
const BACK = "#15181d";

export class Chart {
  readonly element = make("figure", { class: "chart" });
  private readonly legend = make("span", { class: "legend" });
  private readonly place = make("div", { class: "plot" });
  private plot: uPlot | undefined;
  private curves: readonly Curve[] = [];
  private shape = "";
  /** Of the x axis: all charts have one. */
  private end = 1;

  /** @param onRead takes the place on the x axis that the pointer is at */
  constructor(
    private readonly spec: ChartSpec,
    private readonly onRead: (at: number | undefined) => void,
  ) {
    const title = make("span", { class: "title" }, spec.title);
    this.element.append(make("figcaption", {}, title, this.legend), this.place);
    this.place.addEventListener("pointerleave", () => this.onRead(undefined));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.place);
  }

  /** Draws what the runs have now. */
  draw(runs: readonly Run[], axis: Axis, at: number | undefined): void {
    this.curves = curvesOf(this.spec, runs, axis);
    this.end = Math.max(...runs.map(({ lines }) => lines.at(-1)?.[axis] ?? 0));
    const data = tableOf(this.curves);
    const shape = JSON.stringify([
      axis,
      this.curves.map(({ colour, dashed, faint, points }) => [
        ...[colour, dashed, faint, points.x.length <= FEW],
      ]),
    ]);
    if (this.plot && shape === this.shape) this.plot.setData(data);
    else {
      this.plot?.destroy();
      this.plot = new uPlot(this.options(axis), data, this.place);
      this.shape = shape;
    }
    this.read(at);
  }

  /** Whether it is left out. */
  get isIdle(): boolean {
    return this.spec.optional === true && this.curves.length === 0;
  }

  /** Shows the values at a place of the x axis: the last ones without it. */
  read(at: number | undefined): void {
    const named = this.curves.filter(({ faint }) => !faint);
    const labels = [...new Set(named.map(({ label }) => label))];
    this.legend.replaceChildren(
      ...labels.map((label) => {
        const curves = named.filter((curve) => curve.label === label);
        return make("span", {}, label, ...curves.flatMap((curve) => valueOfCurve(curve, at)));
      }),
    );
    if (named.length === 0) this.legend.textContent = "nothing yet";
    if (!this.plot) return;
    const left = at === undefined ? -10 : this.plot.valToPos(at, "x");
    this.plot.setCursor({ left, top: at === undefined ? -10 : 0 }, false);
  }

  private size() {
    const { clientWidth, clientHeight } = this.place;
    return { width: Math.max(60, clientWidth), height: Math.max(60, clientHeight) };
  }

  private options(axis: Axis): uPlot.Options {
    const axes = {
      stroke: TEXT,
      font: FONT,
      grid: { stroke: GRID, width: 1 },
      ticks: { show: false },
    };
    const places = axis === "seconds" ? { space: 56, incrs: [...TIMES] } : { space: 48 };
    return {
      ...this.size(),
      legend: { show: false },
      padding: [8, 22, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [0, Math.max(1, this.end)] },
        y: this.yScale(),
      },
      axes: [
        { ...axes, ...places, size: 26, values: (_, ticks) => ticks.map((v) => onAxis(v, axis)) },
        {
          ...{ ...axes, size: 46 },
          values: (_, ticks) => ticks.map((v) => (v === null ? "" : tick(v))),
        },
      ],
      series: [{}, ...this.curves.map(seriesOf)],
      hooks: { setCursor: [(plot) => this.pointed(plot)] },
    };
  }

  private yScale(): uPlot.Scale {
    const { range, logarithmic, fromZero } = this.spec;
    if (logarithmic) return { distr: 3 };
    if (fromZero) return { range: (_, _least, most) => [0, 1.05 * most || 1] };
    return range ? { range: [...range] } : {};
  }

  private pointed({ cursor, posToVal }: uPlot): void {
    // uPlot tells of cursors that we have set, too.
    if (!this.place.matches(":hover")) return;
    const { left = -1 } = cursor;
    this.onRead(left < 0 ? undefined : posToVal(left, "x"));
  }
}

/** The mark of a curve and its value. */
function valueOfCurve({ colour, dashed, points }: Curve, at: number | undefined): HTMLElement[] {
  const mark = make("span", { class: dashed ? "mark dashed" : "mark" });
  mark.style.borderTopColor = colour;
  const value = valueAt(points, at);
  return [mark, make("b", {}, value === undefined ? "–" : short(value))];
}

const onAxis = (value: number, axis: Axis): string => {
  if (axis === "seconds") return timeTick(value);
  return value >= 10_000 ? `${value / 1000}k` : String(value);
};

function seriesOf({ colour, dashed, faint, points }: Curve): uPlot.Series {
  return {
    stroke: faint ? `${colour}55` : colour,
    width: faint ? 1 : 2,
    dash: dashed ? [5, 4] : undefined,
    spanGaps: true,
    points: {
      show: points.x.length <= FEW && !faint,
      size: 7,
      width: 2,
      fill: dashed ? BACK : colour,
    },
  };
}

/** The curves over the union of their places. */
function tableOf(curves: readonly Curve[]): uPlot.AlignedData {
  if (curves.length === 0) return [[0, 1]];
  return uPlot.join(curves.map(({ points }) => [points.x, points.y]));
}
