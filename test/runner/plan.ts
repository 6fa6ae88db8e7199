/** The files of tests that run, their order, and the time that the rest will take. */

/** Processor seconds that a file took when they were recorded (`--record`), by its path. */
export type Recorded = Readonly<Record<string, number>>;

/** Files that nothing is recorded of are taken for short. */
const UNKNOWN_SECONDS = 2;
const SMOKE = "test/smoke/";

export const secondsOf = (recorded: Recorded, file: string): number =>
  recorded[file] ?? UNKNOWN_SECONDS;

/** The smoke test first, then the longest, so that no process is left alone with a long one. */
export function ordered(files: readonly string[], recorded: Recorded): string[] {
  const rank = (file: string) =>
    file.startsWith(SMOKE) ? Number.POSITIVE_INFINITY : secondsOf(recorded, file);
  return files.toSorted((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1));
}

/** A file that runs, and for how many seconds so far. */
export interface Running {
  readonly file: string;
  readonly seconds: number;
}

/**
 * Seconds until all is done: what was recorded of the files that are left, times how much slower the
 * files that have ended were than what was recorded of them.
 * @param done seconds of the files that have ended, by path
 */
export function secondsLeft(
  recorded: Recorded,
  done: ReadonlyMap<string, number>,
  running: readonly Running[],
  waiting: readonly string[],
  processes: number,
): number {
  let [took, expected] = [0, 0];
  for (const [file, seconds] of done) {
    took += seconds;
    expected += secondsOf(recorded, file);
  }
  const pace = expected > 0 ? took / expected : 1;
  const rest = [
    ...running.map(({ file, seconds }) => Math.max(0, pace * secondsOf(recorded, file) - seconds)),
    ...waiting.map((file) => pace * secondsOf(recorded, file)),
  ];
  const all = rest.reduce((sum, seconds) => sum + seconds, 0);
  return Math.max(all / processes, ...rest, 0);
}

/** What Bun counted in one process. */
export interface Counts {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
}

export const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** The counts at the end of what `bun test` printed; all 0 where it did not come to its end. */
export function countsOf(output: string): Counts {
  const plain = output.replace(COLOURS, "");
  const count = (word: string) =>
    Number(
      plain
        .match(new RegExp(`^ *(\\d+) ${word}$`, "gm"))
        ?.at(-1)
        ?.trim()
        .split(" ")[0] ?? 0,
    );
  return { pass: count("pass"), fail: count("fail"), skip: count("skip") };
}

/** Lines that say what was left out on this machine. */
export function notesOf(output: string): string[] {
  const lines = output.replace(COLOURS, "").split("\n");
  return lines.filter((line) => /^(ops are )?not tested on /.test(line));
}
