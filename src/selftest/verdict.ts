/** A self-test's verdict in plain words. */
import type { Measured, SizeResult, Verdict } from "./record";

/** Share of lesions that must be found for a size to count as found. */
const ENOUGH = 0.8;
/** False lesions in a scan from which one is told of them. */
const MOST_FALSE = 0.5;

/** The smallest size of which, and of all larger ones, enough are found. */
export function smallestFound(sizes: readonly SizeResult[]): SizeResult | undefined {
  let smallest: SizeResult | undefined;
  for (const size of sizes.toSorted((a, b) => b.sizeMm - a.sizeMm)) {
    if (size.of === 0 || size.found < ENOUGH * size.of) break;
    smallest = size;
  }
  return smallest;
}

/** @param reservations sentences on why the visits are not fit to be compared */
export function verdictOf(
  { sizes, checks, falseLesions, scans }: Measured,
  reservations: readonly string[],
): Verdict {
  const { twice, moved, plantedBefore } = checks;
  const bad = [
    ...reservations,
    ...(twice.lesions > 0
      ? [`Visit 2 against itself: ${count(twice.lesions)} called new, where nothing can be.`]
      : []),
    ...(plantedBefore.calledNew > 0
      ? [
          `${plantedBefore.calledNew} of ${plantedBefore.of} lesions that vanish between the visits are ` +
            "called new.",
        ]
      : []),
  ];
  const limit = smallestFound(sizes);
  const care = [
    ...(moved.lesions > 0
      ? [`A movement of half a millimetre between the visits makes ${count(moved.lesions)} more.`]
      : []),
    ...(falseLesions > MOST_FALSE * scans
      ? [`${count(falseLesions)} in ${scans} scans that were neither planted nor there before.`]
      : []),
    ...(limit ? [] : ["At no size are 80 % of the planted lesions found."]),
  ];
  const lines = [...bad, ...sizeLines(sizes, limit), ...care, ...good(checks)];
  if (bad.length > 0) return { grade: "bad", headline: "Not to be trusted on these scans.", lines };
  if (!limit) {
    return {
      grade: "care",
      headline: "Misses planted lesions of every size on these scans.",
      lines,
    };
  }
  const what = `lesions of ${limit.sizeMm} mm and more are found`;
  return care.length > 0
    ? {
        grade: "care",
        headline: `On these scans ${what}, but false ones are to be expected.`,
        lines,
      }
    : { grade: "good", headline: `On these scans ${what}, and nothing where nothing is.`, lines };
}

const count = (n: number) => `${n} false ${n === 1 ? "lesion" : "lesions"}`;

function sizeLines(sizes: readonly SizeResult[], limit: SizeResult | undefined): string[] {
  const lines: string[] = [];
  if (limit) {
    const from = sizes.filter(({ sizeMm }) => sizeMm >= limit.sizeMm);
    const [found, of] = [from.map((s) => s.found), from.map((s) => s.of)].map((values) =>
      values.reduce((sum, v) => sum + v, 0),
    );
    lines.push(
      `Of the planted lesions of ${limit.sizeMm} mm and more ${found} of ${of} are found.`,
    );
  }
  const small = sizes.filter(({ sizeMm, of }) => of > 0 && (!limit || sizeMm < limit.sizeMm));
  if (small.length === 0) return lines;
  const each = small.map(({ sizeMm, found, of }) => `${found} of ${of} at ${sizeMm} mm`);
  return [...lines, `${limit ? "Of smaller ones" : "Found are"} ${each.join(", ")}.`];
}

/** What went well. */
function good({ twice, moved, plantedBefore }: Measured["checks"]): string[] {
  const lines: string[] = [];
  if (twice.lesions === 0) lines.push("Visit 2 against itself: nothing is called new.");
  if (moved.lesions === 0) lines.push("Moved by half a millimetre: nothing further is called new.");
  if (plantedBefore.of > 0 && plantedBefore.calledNew === 0) {
    lines.push(`None of ${plantedBefore.of} lesions that vanish between the visits is called new.`);
  }
  return lines;
}
