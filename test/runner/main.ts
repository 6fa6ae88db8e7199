/**
 * `bun run test` and `bun run test:long`: every file of tests in a process of its own, several at a
 * time, with a line for each that says how far it is. With arguments it is `bun test` with a time limit
 * that cold software adapters need: `bun run test test/losses.test.ts -t focal`.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { duration } from "../../src/terminal/progress";
import { countsOf, notesOf, ordered, type Recorded, secondsLeft } from "./plan";
import { Status } from "./status";
import { type Ended, summaryOf } from "./summary";

const ROOT = join(import.meta.dir, "../..");
const RECORD = join(import.meta.dir, "seconds.json");
/** A process ends with this one, however that ends, and takes along what it started. */
const BUN_TEST = [process.execPath, "test", "--no-orphans", "--timeout", "600000"];
/** More at a time would take memory rather than save time. */
const MOST_PROCESSES = 4;

const [first, ...rest] = process.argv.slice(2);
const isLong = first === "--long";
const args = (isLong ? rest : process.argv.slice(2)).filter((arg) => arg !== "--record");
const isRecording = process.argv.includes("--record");
process.exitCode = args.length > 0 ? await passOn(args) : await runAll();

async function passOn(given: readonly string[]): Promise<number> {
  const child = Bun.spawn([...BUN_TEST, ...given], {
    cwd: ROOT,
    stdio: ["inherit", "inherit", "inherit"],
  });
  return await child.exited;
}

function filesToRun(): string[] {
  const all = [...new Glob("test/**/*.test.ts").scanSync(ROOT)].map((f) => f.replaceAll("\\", "/"));
  return all.filter((file) => file.startsWith("test/long/") === isLong);
}

async function runFile(file: string): Promise<Ended> {
  const start = performance.now();
  const child = Bun.spawn([...BUN_TEST, `./${file}`], {
    ...{ cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  });
  const parts = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const code = await child.exited;
  const counts = countsOf(parts.join(""));
  // A process that died without counting a failure is one.
  const died = code !== 0 && counts.fail === 0;
  if (died) parts.push(`${file}: the process ended with ${child.signalCode ?? `code ${code}`}\n`);
  const output = parts.join("");
  const fail = died ? 1 : counts.fail;
  const ok = code === 0 && fail === 0;
  const seconds = (performance.now() - start) / 1000;
  const processor = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { file, counts: { ...counts, fail }, output, seconds, processor, ok };
}

async function runAll(): Promise<number> {
  const recorded: Recorded = await Bun.file(RECORD).json();
  const waiting = ordered(filesToRun(), recorded);
  const total = waiting.length;
  const processes = Math.min(MOST_PROCESSES, availableParallelism());
  const running = new Map<string, number>();
  const ended: Ended[] = [];
  const left = () => {
    const now = performance.now();
    const done = new Map(ended.map(({ file, seconds }) => [file, seconds]));
    const busy = [...running].map(([file, since]) => ({ file, seconds: (now - since) / 1000 }));
    return duration(secondsLeft(recorded, done, busy, waiting, processes));
  };
  console.log(`${total} files of tests, ${processes} at a time; about ${left()}`);
  const status = new Status(
    () => `running ${[...running.keys()].join(", ")}; about ${left()} left`,
  );
  const work = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      running.set(file, performance.now());
      const end = await runFile(file);
      running.delete(file);
      ended.push(end);
      const place = `${String(ended.length).padStart(String(total).length)}/${total}`;
      status.line(`${place}  ${lineOf(end)}; about ${left()} left`);
      for (const note of notesOf(end.output)) status.line(`       ${note}`);
      if (!end.ok) status.line(`\n${end.output}`);
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  status.stop();
  if (isRecording) await record(recorded, ended);
  for (const line of summaryOf(ended)) console.log(line);
  return ended.every(({ ok }) => ok) ? 0 : 1;
}

function lineOf({ file, counts, seconds }: Ended): string {
  const { pass, fail, skip } = counts;
  const words = [`${pass} pass`, fail > 0 && `${fail} fail`, skip > 0 && `${skip} skip`];
  return `${file.padEnd(38)} ${words.filter(Boolean).join(", ")}, ${duration(seconds)}`;
}

/** Keeps the processor seconds of these files, and those of the ones that did not run. */
async function record(before: Recorded, ended: readonly Ended[]): Promise<void> {
  const now = ended.map(({ file, processor }) => [file, Math.ceil(processor)] as const);
  const there = Object.entries(before).filter(([file]) => existsSync(join(ROOT, file)));
  const all = [...new Map([...there, ...now])].sort(([a], [b]) => (a < b ? -1 : 1));
  await Bun.write(RECORD, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
}
