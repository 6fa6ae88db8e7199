/** A long training of the tiniest configuration: its memory and its open files do not grow. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bunRun, judgeSuccess, processesOf } from "./command";
import type { Case, Context, Part, Tried } from "./part";
import { training, writeRig } from "./rig";

const ITERATIONS = 2000;
const EVERY_MS = 500;
/** Growth of memory from the second quarter to the last, by medians, that counts as none. */
const MOST_GROWTH = 24 * 2 ** 20;

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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function judge(samples: readonly Sample[]): { isFlat: boolean; text: string } {
  const quarter = samples.length >> 2;
  const [early, late] = [samples.slice(quarter, 2 * quarter), samples.slice(3 * quarter)];
  const [before, after] = [early, late].map((part) => ({
    bytes: median(part.map(({ bytes }) => bytes)),
    files: Math.max(...part.map(({ files }) => files)),
  })) as [Sample, Sample];
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const isFlat = after.bytes - before.bytes <= MOST_GROWTH && after.files <= before.files;
  const text =
    `second quarter ${mib(before.bytes)} and ${before.files} open files, last quarter ` +
    `${mib(after.bytes)} and ${after.files} (${samples.length} samples)`;
  return { isFlat: quarter > 2 && isFlat, text };
}

async function endured(args: readonly string[]): Promise<Tried> {
  const samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  const onStart = (group: number) => {
    timer = setInterval(() => samples.push(...[largestOf(group) ?? []].flat()), EVERY_MS);
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
    const args = [...training(rig, join(folder, "run"), ITERATIONS), "--report-every", "50"];
    return [{ id: `${ITERATIONS} iterations`, run: () => endured(args) }];
  },
};
