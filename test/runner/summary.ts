/** The end of `bun run test`: the slowest files, each failure once more, and the counts. */
import { duration } from "../../src/terminal/progress";
import { COLOURS, type Counts } from "./plan";

/** How one file ended. */
export interface Ended {
  readonly file: string;
  readonly counts: Counts;
  readonly output: string;
  readonly seconds: number;
  /** Seconds of all processors that it took, with the processes that it started and waited for. */
  readonly processor: number;
  readonly ok: boolean;
}

/** Files whose times are told. */
const SLOWEST = 10;
/** Characters of a failure without a test's name, such as a process that died. */
const MOST_CHARACTERS = 4000;

/** Lines to print; the counts of all files come last, one a line, as Bun ends with them. */
export function summaryOf(ended: readonly Ended[]): string[] {
  const slowest = ended.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
  const times = slowest.map(({ file, seconds }) => `${file} ${duration(seconds)}`);
  const failed = ended.filter(({ ok }) => !ok);
  const failures = failed.flatMap(({ file, output }) => {
    const found = failuresOf(output);
    return [`failed: ${file}`, ...(found.length > 0 ? found : [output.slice(-MOST_CHARACTERS)])];
  });
  const counts = (["pass", "fail", "skip"] as const).map(
    (word) => ` ${ended.reduce((sum, { counts }) => sum + counts[word], 0)} ${word}`,
  );
  return [`slowest: ${times.join(", ")}`, ...failures, ...counts];
}

/** Lines of one failure that are printed again at the end. */
const MOST_LINES = 40;

/** Before the list of names with which Bun ends where many tests ran. */
const NAMES_AGAIN = /^\d+ tests? failed:$/m;

/** Each failure in what `bun test` printed: the error and what led to it, and last the test's name. */
export function failuresOf(output: string): string[] {
  const [told = ""] = output.replace(COLOURS, "").split(NAMES_AGAIN);
  const lines = told.split("\n");
  const failures: string[] = [];
  let start = 0;
  lines.forEach((line, at) => {
    if (!/^\((pass|fail|skip|todo)\) /.test(line)) return;
    if (line.startsWith("(fail)")) {
      failures.push(lines.slice(Math.max(start, at + 1 - MOST_LINES), at + 1).join("\n"));
    }
    start = at + 1;
  });
  return failures;
}
