/** The report of an experiment: one page of Markdown beside its pictures. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { duration } from "../train/progress";
import { drawFigure } from "./figures";
import type { Setup } from "./folder";
import type { Grid } from "./grid";
import type { ArmResult, FigureResult, Interval } from "./results";

export interface ReportInput {
  readonly folder: string;
  readonly grid: Grid;
  readonly setup: Setup;
  readonly results: readonly FigureResult[];
  readonly seeds: readonly number[];
}

/** Writes `report.md`, `results.json` and the pictures. @returns the report's path */
export function writeReport(input: ReportInput): string {
  const { folder, results, setup } = input;
  for (const result of results) drawFigure(result, folder, sizeText(input));
  const path = join(folder, "report.md");
  writeFileSync(path, reportText(input));
  const figures = results.map(({ figure, ...rest }) => ({ name: figure.name, ...rest }));
  const json = { format: 1, setup, seeds: input.seeds, figures };
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(json, null, 2)}\n`);
  return path;
}

function budgetText({ budget }: Setup): string {
  return "seconds" in budget
    ? `${duration(budget.seconds)} of training each`
    : `${budget.iterations} iterations each`;
}

function sizeText({ setup, seeds }: ReportInput): string {
  const { trained, validation } = setup;
  const patients = `${trained} patients train, ${validation.length} validate`;
  const many = seeds.length === 1 ? "1 seed" : `${seeds.length} seeds`;
  return `${budgetText(setup)}, ${many}, ${patients}`;
}

function reportText(input: ReportInput): string {
  const { grid, setup, results } = input;
  const { validation, lesionFree } = setup;
  const unfinished = new Set(
    results.flatMap(({ arms }) =>
      arms.flatMap(({ runs }) => runs.filter(({ done }) => !done).map(({ run }) => run.id)),
    ),
  );
  const preset = setup.preset ?? "the adapter's default";
  const lines = [
    `# ${grid.title}`,
    "",
    grid.question.trim(),
    "",
    `${sizeText(input)} (${lesionFree.length} of the ${validation.length} without a lesion); preset: ${preset}; ` +
      `adapter: ${setup.adapter}. The validation patients are the same in every run.`,
    "",
    ...(unfinished.size > 0 ? [`**Not finished: ${[...unfinished].join(", ")}.**`, ""] : []),
    ...results.flatMap((result) => [...figureText(result), ""]),
    ...(input.seeds.length > 1
      ? []
      : ["With one seed the intervals say nothing of other seeds: trust no small difference.", ""]),
    "Dice: mean over the validation patients with lesions after the whole budget, momentum weights w̄, on " +
      "the native grid, threshold 0.5; brackets: 95 % bootstrap interval over patients and seeds. Difference: " +
      "paired by patient and seed. Positive: share of patches with a lesion among those trained on. " +
      "False alarms: share of validations of lesion-free patients in which a voxel was found.",
  ];
  return `${lines.join("\n")}\n`;
}

function figureText({ figure, baseline, arms }: FigureResult): string[] {
  const head = [
    "arm",
    "Dice",
    `less "${baseline}"`,
    "positive",
    "false alarms",
    "seconds",
    "patches",
  ];
  return [
    `## ${figure.title}`,
    "",
    ...(figure.text ? [figure.text.trim(), ""] : []),
    `![${figure.title}](${figure.name}.png)`,
    "",
    `| ${head.join(" | ")} |`,
    `|---|${head
      .slice(1)
      .map(() => "--:|")
      .join("")}`,
    ...arms.map((arm) => `| ${armCells(arm).join(" | ")} |`),
    "",
    verdict(arms, baseline),
  ];
}

function armCells({ name, runs, dice, difference, falseAlarms }: ArmResult): string[] {
  const done = runs.filter((run) => run.done);
  const failed = runs.find((run) => run.failed !== undefined);
  if (!dice) return [name, failed ? `failed: ${failed.failed}` : "–", "", "", "", "", ""];
  const mean = (of: (run: (typeof runs)[number]) => number) =>
    done.reduce((sum, run) => sum + of(run), 0) / done.length;
  const positive = mean(({ positiveFraction }) => positiveFraction);
  return [
    name,
    intervalText(dice),
    difference ? intervalText(difference, true) : "",
    Number.isFinite(positive) ? `${Math.round(100 * positive)} %` : "–",
    falseAlarms === undefined ? "–" : `${Math.round(100 * falseAlarms)} %`,
    mean(({ points }) => points.at(-1)!.seconds).toFixed(0),
    mean(({ points }) => points.at(-1)!.patches).toFixed(0),
  ];
}

function intervalText({ mean, low, high }: Interval, signed = false): string {
  const text = (x: number) =>
    signed && x > 0 ? `+${x.toFixed(3)}` : x.toFixed(3).replace("-", "−");
  return `${text(mean)} [${text(low)}, ${text(high)}]`;
}

/** What can be said, and what cannot, in one sentence each. */
function verdict(arms: readonly ArmResult[], baseline: string): string {
  const scored = arms.filter(({ dice }) => dice !== undefined);
  if (scored.length < 2) return "Too few finished runs to compare.";
  const best = scored.reduce((a, b) => (b.dice!.mean > a.dice!.mean ? b : a));
  const list = (chosen: readonly ArmResult[]) => chosen.map(({ name }) => `"${name}"`).join(", ");
  const compared = scored.filter(({ difference }) => difference !== undefined);
  const better = compared.filter(({ difference }) => difference!.low > 0);
  const worse = compared.filter(({ difference }) => difference!.high < 0);
  const open = compared.filter((arm) => !better.includes(arm) && !worse.includes(arm));
  return [
    `Highest: "${best.name}" (${intervalText(best.dice!)}).`,
    better.length > 0 ? `Better than "${baseline}": ${list(better)}.` : "",
    worse.length > 0 ? `Worse than "${baseline}": ${list(worse)}.` : "",
    open.length > 0 ? `Not told apart from "${baseline}" at this size: ${list(open)}.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}
