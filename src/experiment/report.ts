/** The report of an experiment: one page of Markdown beside its pictures. */
import { join } from "node:path";
import { mean } from "../eval/statistics";
import { writeAtomically } from "../platform/atomic_file";
import { duration } from "../terminal/progress";
import { drawFigure } from "./figures";
import type { Setup } from "./folder";
import type { Grid } from "./grid";
import type { ArmResult, Compared, FigureResult, Interval } from "./results";

export interface ReportInput {
  readonly folder: string;
  readonly grid: Grid;
  readonly setup: Setup;
  readonly results: readonly FigureResult[];
}

/** Seeds of which some run is done: what a report is about when it was stopped early. */
function seedsOf({ results }: ReportInput): number[] {
  const runs = results.flatMap(({ arms }) => arms.flatMap((arm) => arm.runs));
  return [...new Set(runs.filter(({ done }) => done).map(({ run }) => run.seed))];
}

/** Writes `report.md`, `results.json` and the pictures. @returns the report's path */
export function writeReport(input: ReportInput): string {
  const { folder, results, setup } = input;
  for (const result of results) drawFigure(result, folder, sizeText(input));
  const path = join(folder, "report.md");
  writeAtomically(path, reportText(input));
  const figures = results.map(({ figure, ...rest }) => ({ name: figure.name, ...rest }));
  const json = { format: 1, setup, seeds: seedsOf(input), figures };
  writeAtomically(join(folder, "results.json"), `${JSON.stringify(json, null, 2)}\n`);
  return path;
}

function budgetText({ budget }: Setup): string {
  return "seconds" in budget
    ? `${duration(budget.seconds)} of training each`
    : `${budget.iterations} iterations each`;
}

function sizeText(input: ReportInput): string {
  const { setup } = input;
  const { trained, validation } = setup;
  const seeds = seedsOf(input);
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
  const preset = grid.settings.preset ?? setup.preset ?? "the adapter's default";
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
    ...(seedsOf(input).length > 1
      ? []
      : ["With one seed the intervals say nothing of other seeds: trust no small difference.", ""]),
    "Dice and lesion F1 (MSSEG-2): means over the validation patients with lesions after the whole budget, " +
      "momentum weights w̄, on the native grid, predicted with the arm's own inference settings; brackets: 95 % " +
      "bootstrap interval over patients and seeds. Differences: paired by patient and seed. Positive: share of " +
      "patches with a lesion among those trained on. False alarms: share of validations of lesion-free " +
      "patients in which a lesion above 3 mm³ was found. s: seconds of training.",
  ];
  return `${lines.join("\n")}\n`;
}

function figureText({ figure, baseline, arms }: FigureResult): string[] {
  const less = `less "${baseline}"`;
  const head = ["arm", "Dice", less, "lesion F1", less, "positive", "false alarms", "s", "patches"];
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
    verdict(arms, baseline, "Dice", ({ dice }) => dice),
    verdict(arms, baseline, "lesion F1", ({ lesionF1 }) => lesionF1),
  ];
}

function armCells({ name, runs, dice, lesionF1, falseAlarms }: ArmResult): string[] {
  const done = runs.filter((run) => run.done);
  const failed = runs.find((run) => run.failed !== undefined);
  if (done.length === 0) {
    return [name, failed ? `failed: ${failed.failed}` : "–", "", "", "", "", "", "", ""];
  }
  const positive = mean(done.map((run) => run.positiveFraction));
  return [
    name,
    ...[dice, lesionF1].flatMap((score) => [
      score ? intervalText(score) : "–",
      score?.difference ? intervalText(score.difference, true) : "",
    ]),
    Number.isFinite(positive) ? `${Math.round(100 * positive)} %` : "–",
    falseAlarms === undefined ? "–" : `${Math.round(100 * falseAlarms)} %`,
    mean(done.map(({ points }) => points.at(-1)?.seconds ?? 0)).toFixed(0),
    mean(done.map(({ points }) => points.at(-1)?.patches ?? 0)).toFixed(0),
  ];
}

function intervalText({ mean, low, high }: Interval, signed = false): string {
  const text = (x: number) =>
    signed && x > 0 ? `+${x.toFixed(3)}` : x.toFixed(3).replace("-", "−");
  return `${text(mean)} [${text(low)}, ${text(high)}]`;
}

/** Says of a score whether its difference is told from chance, in one sentence each. */
function verdict(
  arms: readonly ArmResult[],
  baseline: string,
  what: string,
  scoreOf: (arm: ArmResult) => Compared | undefined,
): string {
  const scored = arms.flatMap((arm) => {
    const score = scoreOf(arm);
    return score ? [{ name: arm.name, score }] : [];
  });
  if (scored.length < 2) return `- ${what}: too few finished runs to compare.`;
  const best = scored.reduce((a, b) => (b.score.mean > a.score.mean ? b : a));
  const sentence = (start: string, holds: (difference: Interval) => boolean) => {
    const chosen = scored.filter(({ score }) => score.difference && holds(score.difference));
    return chosen.length > 0
      ? ` ${start}: ${chosen.map(({ name }) => `"${name}"`).join(", ")}.`
      : "";
  };
  return [
    `- ${what}: highest "${best.name}", ${intervalText(best.score)}.`,
    sentence(`Better than "${baseline}"`, ({ low }) => low > 0),
    sentence(`Worse than "${baseline}"`, ({ high }) => high < 0),
    sentence(`Not told apart from it at this size`, ({ low, high }) => low <= 0 && high >= 0),
  ].join("");
}
