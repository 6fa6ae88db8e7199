/** Runs the cases of a part in a worker, ends one that hangs, and goes on with the next case. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Context, ENDS, type End, GOOD, type Part, type Tried } from "./part";
import type { Line } from "./run_cases";

const WORKER = join(import.meta.dir, "worker.ts");
/** Seconds for the things that all cases of a part need. */
const PREPARE_SECONDS = 600;
/** A case that takes more memory is ended. */
const MOST_BYTES = 3 * 2 ** 30;
const POLL_MS = 200;

/** What was seen of a case. */
export interface Seen {
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
  readonly faults: readonly Seen[];
  /** What was seen of cases that are no faults. */
  readonly notes: readonly Seen[];
  readonly peakBytes: number;
  readonly seconds: number;
}

interface Tally {
  ids: readonly string[];
  done: number;
  readonly counts: Record<End, number>;
  readonly faults: Seen[];
  readonly notes: Seen[];
  peakOfCases: number;
  peakOfWorker: number;
}

type OnCase = (done: number, count: number) => void;

const noCounts = () => Object.fromEntries(ENDS.map((end) => [end, 0])) as Record<End, number>;

/**
 * @param onCase gets the number of cases that have ended, and of all
 * @param worker the program that runs them
 */
export async function runPart(
  part: Part,
  context: Context,
  onCase: OnCase,
  worker = WORKER,
): Promise<Row> {
  const { name, title } = part;
  const start = performance.now();
  const tally: Tally = {
    ...{ ids: [], done: 0, counts: noCounts(), faults: [], notes: [] },
    ...{ peakOfCases: 0, peakOfWorker: 0 },
  };
  const skipped = part.missing?.();
  if (skipped === undefined) {
    do {
      const task = { ...context, name, first: tally.done };
      await runWorker([worker, JSON.stringify(task)], part, tally, onCase);
    } while (tally.done < tally.ids.length);
  }
  const { counts, faults, notes } = tally;
  return {
    ...{ name, title, skipped, cases: tally.done, counts, faults, notes },
    peakBytes: tally.peakOfCases || tally.peakOfWorker,
    seconds: (performance.now() - start) / 1000,
  };
}

/** Until all cases have ended, or one of them hung or took the worker with it. */
async function runWorker(
  args: readonly string[],
  part: Part,
  tally: Tally,
  onCase: OnCase,
): Promise<void> {
  // A group of its own. A SIGTERM ends the commands too that a case has started (command.ts).
  const child = Bun.spawn([process.execPath, ...args], {
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true },
  });
  const kill = (signal: NodeJS.Signals) => killGroup(child.pid, signal);
  const onExit = () => kill("SIGTERM");
  process.on("exit", onExit);
  let ended: string | undefined;
  let isTold = false;
  let deadline = performance.now() + 1000 * PREPARE_SECONDS;
  const timer = setInterval(() => {
    const bytes = residentBytes(child.pid);
    tally.peakOfWorker = Math.max(tally.peakOfWorker, bytes);
    if (bytes > MOST_BYTES) ended = `took more than ${MOST_BYTES} bytes of memory`;
    else if (performance.now() > deadline) ended = "no end in its time";
    if (ended) kill(isTold ? "SIGKILL" : "SIGTERM");
    isTold = ended !== undefined;
  }, POLL_MS);
  const said = new Response(child.stderr).text();
  for await (const text of linesOf(child.stdout)) {
    take(JSON.parse(text) as Line, tally);
    deadline = performance.now() + 1000 * part.seconds;
    onCase(tally.done, tally.ids.length);
  }
  await child.exited;
  clearInterval(timer);
  process.off("exit", onExit);
  kill("SIGKILL");
  tally.peakOfWorker = Math.max(tally.peakOfWorker, child.resourceUsage()?.maxRSS ?? 0);
  if (tally.ids.length > 0 && tally.done >= tally.ids.length) return;
  const how = ended ?? `${child.signalCode ?? `exit code ${child.exitCode}`}: ${await said}`;
  if (tally.ids.length === 0) throw new Error(`${part.name}: its preparation failed: ${how}`);
  record(tally, { end: ended ? "hang" : "stack", text: how });
  onCase(tally.done, tally.ids.length);
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {} // All of it has ended.
}

function take(line: Line, tally: Tally): void {
  if ("ids" in line) tally.ids = line.ids;
  else record(tally, line);
}

function record(tally: Tally, { end, text = "", bytes = 0 }: Tried): void {
  tally.counts[end]++;
  const seen = { id: tally.ids[tally.done]!, end, text };
  if (!GOOD.includes(end)) tally.faults.push(seen);
  else if (text !== "") tally.notes.push(seen);
  tally.peakOfCases = Math.max(tally.peakOfCases, bytes);
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
