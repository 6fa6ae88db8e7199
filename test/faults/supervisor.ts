/** Runs the cases of a part in a worker, ends one that hangs, and goes on with the next case. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Context, ENDS, type End, GOOD, type Part } from "./part";
import type { Line, Task } from "./worker";

const WORKER = join(import.meta.dir, "worker.ts");
/** Seconds for the things that all cases of a part need. */
const PREPARE_SECONDS = 600;
/** A case that takes more memory is ended. */
const MOST_BYTES = 3 * 2 ** 30;
const POLL_MS = 200;

/** A case that ended in a fault. */
export interface Fault {
  readonly id: string;
  readonly end: End;
  readonly text: string;
}

/** A row of the table. */
export interface Row {
  readonly name: string;
  readonly title: string;
  /** Why the part did not run. */
  readonly skipped?: string;
  readonly cases: number;
  readonly counts: Readonly<Record<End, number>>;
  readonly faults: readonly Fault[];
  readonly peakBytes: number;
  readonly seconds: number;
}

interface Tally {
  count: number;
  ids: readonly string[];
  done: number;
  readonly counts: Record<End, number>;
  readonly faults: Fault[];
  peakOfCases: number;
  peakOfWorker: number;
}

const noCounts = () => Object.fromEntries(ENDS.map((end) => [end, 0])) as Record<End, number>;

/** @param onCase gets the number of cases that have ended, and of all */
export async function runPart(
  part: Part,
  context: Context,
  onCase: (done: number, count: number) => void,
): Promise<Row> {
  const { name, title } = part;
  const start = performance.now();
  const tally: Tally = {
    ...{ count: 0, ids: [], done: 0, counts: noCounts(), faults: [] },
    ...{ peakOfCases: 0, peakOfWorker: 0 },
  };
  const skipped = part.missing?.();
  if (skipped === undefined) {
    do await runWorker(part, { ...context, name, first: tally.done }, tally, onCase);
    while (tally.done < tally.count);
  }
  const { counts, faults } = tally;
  return {
    ...{ name, title, skipped, cases: tally.done, counts, faults },
    peakBytes: tally.peakOfCases || tally.peakOfWorker,
    seconds: (performance.now() - start) / 1000,
  };
}

/** Until all cases have ended, or one of them hung or took the worker with it. */
async function runWorker(
  part: Part,
  task: Task,
  tally: Tally,
  onCase: (done: number, count: number) => void,
): Promise<void> {
  const child = Bun.spawn([process.execPath, WORKER, JSON.stringify(task)], {
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true },
  });
  let deadline = performance.now() + 1000 * PREPARE_SECONDS;
  let ended: string | undefined;
  const end = (why: string) => {
    ended ??= why;
    process.kill(-child.pid, "SIGKILL");
  };
  const onExit = () => process.kill(-child.pid, "SIGKILL");
  process.on("exit", onExit);
  const timer = setInterval(() => {
    const bytes = residentBytes(child.pid);
    tally.peakOfWorker = Math.max(tally.peakOfWorker, bytes);
    if (bytes > MOST_BYTES) end(`took more than ${MOST_BYTES} bytes of memory`);
    else if (performance.now() > deadline) end("no end in its time");
  }, POLL_MS);
  const said = new Response(child.stderr).text();
  for await (const text of linesOf(child.stdout)) {
    take(JSON.parse(text) as Line, tally);
    deadline = performance.now() + 1000 * part.seconds;
    onCase(tally.done, tally.count);
  }
  await child.exited;
  clearInterval(timer);
  process.off("exit", onExit);
  tally.peakOfWorker = Math.max(tally.peakOfWorker, child.resourceUsage()?.maxRSS ?? 0);
  if (tally.count > 0 && tally.done >= tally.count) return;
  const how = `${child.signalCode ?? `exit code ${child.exitCode}`}: ${await said}`;
  if (tally.count === 0) throw new Error(`${part.name}: its preparation failed: ${ended ?? how}`);
  record(tally, ended ? "hang" : "stack", ended ?? how);
  onCase(tally.done, tally.count);
}

function take(line: Line, tally: Tally): void {
  if ("count" in line) {
    tally.count = line.count;
    tally.ids = line.ids;
    return;
  }
  tally.peakOfCases = Math.max(tally.peakOfCases, line.bytes ?? 0);
  record(tally, line.end, line.text ?? "");
}

function record(tally: Tally, end: End, text: string): void {
  tally.counts[end]++;
  if (!GOOD.includes(end)) tally.faults.push({ id: tally.ids[tally.done]!, end, text });
  tally.done++;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

/** 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return pages * 4096;
  } catch {
    return 0;
  }
}
