/** The curve of a self-test as SVG: the share that is found by size, with its 95 % intervals. */
import type { SizeResult } from "./record";

const WIDTH = 640;
const HEIGHT = 330;
const LEFT = 58;
const RIGHT = 20;
const TOP = 16;
const BOTTOM = 62;
const COLOURS = { line: "#b4490f", grid: "#d9dee5", text: "#1a1d21", quiet: "#4a5059" } as const;

/** @param sizes increasing */
export function curveSvg(sizes: readonly SizeResult[]): string {
  const tried = sizes.filter(({ of }) => of > 0);
  if (tried.length === 0) return "<p>No lesion could be planted.</p>";
  const all = tried.map(({ sizeMm }) => sizeMm);
  const [first, last] = [Math.min(...all) - 1, Math.max(...all) + 0.5];
  const x = (mm: number) => LEFT + ((mm - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (share: number) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const round = (v: number) => v.toFixed(1);
  const grid = [0, 0.2, 0.4, 0.6, 0.8, 1].map(
    (share) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(share))}" y2="${round(y(share))}" stroke="${COLOURS.grid}"/>` +
      text(LEFT - 8, y(share) + 4, `${100 * share} %`, "end"),
  );
  const points = tried.map(({ sizeMm, found, of, interval }) => {
    const [cx, cy] = [round(x(sizeMm)), round(y(found / of))];
    const [low, high] = interval!.map((share) => round(y(share)));
    return (
      `<line x1="${cx}" x2="${cx}" y1="${low}" y2="${high}" stroke="${COLOURS.line}" stroke-width="2" stroke-opacity="0.5"/>` +
      `<circle cx="${cx}" cy="${cy}" r="5" fill="${COLOURS.line}"/>` +
      text(x(sizeMm), HEIGHT - BOTTOM + 20, `${sizeMm} mm`, "middle") +
      text(x(sizeMm), HEIGHT - BOTTOM + 37, `${found} of ${of}`, "middle", COLOURS.quiet)
    );
  });
  const path = tried.map(({ sizeMm, found, of }) => `${round(x(sizeMm))},${round(y(found / of))}`);
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Share of planted lesions that is found, by size" ` +
    `xmlns="http://www.w3.org/2000/svg" font-family="Inter, system-ui, sans-serif" font-size="13">` +
    `${grid.join("")}<polyline points="${path.join(" ")}" fill="none" stroke="${COLOURS.line}" stroke-width="2"/>` +
    `${points.join("")}${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "diameter of the planted lesion", "middle", COLOURS.quiet)}</svg>`
  );
}

/** Numbers and words of this file alone: nothing in them needs escaping. */
function text(x: number, y: number, words: string, anchor: string, colour: string = COLOURS.text) {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${words}</text>`;
}
