/** The grid of an experiment: arms that are compared, from a YAML file, and the runs that they need. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../core/errors";
import { inputFileSize } from "../platform/input_file";

const settingsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const gridSchema = z.strictObject({
  title: z.string(),
  /** What the experiment asks; stands below the title of the report. */
  question: z.string(),
  seeds: z.array(z.number().int().min(0)).min(1),
  /** Options of `bun run train` for every run. */
  settings: settingsSchema.default({}),
  figures: z
    .array(
      z.strictObject({
        /** Names its files. */
        name: z.string().regex(/^[\w-]+$/, "expected letters, digits, - and _ only"),
        title: z.string(),
        text: z.string().default(""),
        /** The arm that the others are compared with; the first if absent. */
        baseline: z.string().optional(),
        /** Options of `bun run train` by arm. */
        arms: z.record(z.string(), settingsSchema),
      }),
    )
    .min(1),
});

export type Grid = z.infer<typeof gridSchema>;
export type Figure = Grid["figures"][number];
export type Settings = z.infer<typeof settingsSchema>;

/** One training: an arm's settings with one seed. Arms with equal settings share their runs. */
export interface PlannedRun {
  /** Unique, and a folder's name. */
  readonly id: string;
  /** The first arm that needs it. */
  readonly arm: string;
  readonly seed: number;
  readonly settings: Settings;
}

/** Options that the experiment itself gives to every run. */
const OWN = ["data", "out", "resume", "seed", "budget", "iterations", "val", "folds", "fold"];

/** Reads a grid. @throws UserError naming the file and what is wrong in it */
export function readGrid(path: string): Grid {
  inputFileSize(path, "a YAML file");
  let value: unknown;
  try {
    value = Bun.YAML.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`${path}: cannot be read as YAML: ${(error as Error).message}`);
  }
  const parsed = gridSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UserError(`${path}: ${issue.path.join(".") || "the grid"}: ${issue.message}`);
  }
  check(path, parsed.data);
  return parsed.data;
}

function check(path: string, { settings, figures }: Grid): void {
  const names = figures.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice) throw new UserError(`${path}: two figures are named ${twice}; name each once`);
  for (const { name, arms, baseline } of figures) {
    if (Object.keys(arms).length === 0) throw new UserError(`${path}: figure ${name} has no arm`);
    if (baseline !== undefined && !(baseline in arms)) {
      throw new UserError(
        `${path}: figure ${name}: its baseline "${baseline}" is none of its arms ` +
          `(${Object.keys(arms).join("; ")})`,
      );
    }
  }
  const given = [settings, ...figures.flatMap(({ arms }) => Object.values(arms))];
  const own = given.flatMap((s) => Object.keys(s)).find((key) => OWN.includes(key));
  if (own) {
    throw new UserError(
      `${path}: ${own} is set by the experiment itself, the same for all arms; leave it out ` +
        "(data, seeds and budget are options of `bun run experiment`)",
    );
  }
}

/** An arm's settings over those of all runs. */
export function settingsOf(grid: Grid, arm: Settings): Settings {
  return { ...grid.settings, ...arm };
}

const canonical = (settings: Settings): string =>
  JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Identifies the runs of equal settings, whatever arm they are of. */
export function runKey(settings: Settings, seed: number): string {
  return `${canonical(settings)} ${seed}`;
}

/**
 * Every distinct run once, all arms of one seed before the next seed: an experiment that is stopped
 * early has compared all arms.
 */
export function plannedRuns(grid: Grid, seeds: readonly number[]): PlannedRun[] {
  const runs = new Map<string, PlannedRun>();
  const names = new Map<string, string>();
  for (const seed of seeds) {
    for (const [arm, own] of grid.figures.flatMap(({ arms }) => Object.entries(arms))) {
      const settings = settingsOf(grid, own);
      const key = runKey(settings, seed);
      if (runs.has(key)) continue;
      const name = names.get(canonical(settings)) ?? uniqueName(arm, new Set(names.values()));
      names.set(canonical(settings), name);
      runs.set(key, { id: `${name}-seed${seed}`, arm, seed, settings });
    }
  }
  return [...runs.values()];
}

/** `OHEM, μ = 0.99` → `ohem-mu-0.99`. */
function uniqueName(arm: string, taken: ReadonlySet<string>): string {
  const ascii = arm.toLowerCase().replaceAll("μ", "mu").replaceAll("ε", "epsilon");
  const slug = ascii.replaceAll(/[^\w.]+/g, "-").replaceAll(/^[-.]+|[-.]+$/g, "") || "arm";
  let name = slug;
  for (let n = 2; taken.has(name); n++) name = `${slug}-${n}`;
  return name;
}

/** Settings as arguments of `bun run train`. */
export function trainArguments(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    if (value === true) return [`--${key}`];
    return value === false ? [`--no-${key}`] : [`--${key}`, String(value)];
  });
}
