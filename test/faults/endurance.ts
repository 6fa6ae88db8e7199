/** A long training of the tiniest configuration: its memory and its open files do not grow. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bunRun, judgeSuccess, processesOf } from "./command";
import type { Case, Context, Part, Tried } from "./part";
import { training, writeRig } from "./rig";

const ITERATIONS = 2000;
const EVERY_MS = 500;
/** Growth of the most memory from the second quarter to the last, which ends with pictures. */
const MOST_GROWTH = 32 * 2 ** 20;
/** In each quarter are some validations. */
const PACE = ["--validate-every", "0.05", "--report-every", "50"];

interface Sample {
  readonly bytes: number;
  readonly files: number;
}

/** Of a process; undefined where it has ended. */
function sampleOf(pid: number): Sample | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return { bytes: 4096 * pages, files: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}

/** Of the largest process of a group: `bun run` waits for the command itself. */
function largestOf(group: number): Sample | undefined {
  const samples = processesOf(group).flatMap((pid) => sampleOf(pid) ?? []);
  return samples.toSorted((a, b) => b.bytes - a.bytes)[0];
}

const inOrder = (values: readonly number[]) => values.toSorted((a, b) => a - b);

/** The least memory, as between two validations, the most, as in one, and the usual open files. */
function rangeOf(samples: readonly Sample[]) {
  const bytes = inOrder(samples.map((sample) => sample.bytes));
  const files = inOrder(samples.map((sample) => sample.files));
  return {
    least: bytes[Math.floor(bytes.length / 10)]!,
    most: bytes.at(-1)!,
    files: files[files.length >> 1]!,
  };
}

function judge(samples: readonly Sample[]): { isFlat: boolean; text: string } {
  const quarter = samples.length >> 2;
  if (quarter < 3) return { isFlat: false, text: `${samples.length} samples alone` };
  const before = rangeOf(samples.slice(quarter, 2 * quarter));
  const after = rangeOf(samples.slice(3 * quarter));
  const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
  const said = ({ least, most, files }: typeof before) =>
    `${mib(least)} to ${mib(most)} MiB and ${files} open files`;
  return {
    isFlat: after.most - before.most <= MOST_GROWTH && after.files <= before.files,
    text: `second quarter ${said(before)}; last quarter ${said(after)}`,
  };
}

async function endured(args: readonly string[]): Promise<Tried> {
  const samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  const onStart = (group: number) => {
    timer = setInterval(() => {
      const sample = largestOf(group);
      if (sample) samples.push(sample);
    }, EVERY_MS);
  };
  const left = await bunRun(args, { onStart, seconds: 3000 });
  clearInterval(timer);
  const tried = judgeSuccess(left);
  if (tried.end !== "right") return tried;
  const { isFlat, text } = judge(samples);
  return { ...tried, end: isFlat ? "right" : "silent", text };
}

export const endurance: Part = {
  name: "endurance",
  title: "2,000 iterations: memory and open files stay as they are",
  seconds: 3600,
  longOnly: true,
  missing: () => (process.platform === "linux" ? undefined : "no /proc here"),
  cases: async ({ folder }: Context): Promise<Case[]> => {
    const rig = await writeRig(join(folder, "rig"));
    const args = [...training(rig, join(folder, "run"), ITERATIONS), ...PACE];
    return [{ id: `${ITERATIONS} iterations`, run: () => endured(args) }];
  },
};
