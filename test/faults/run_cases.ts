/** The worker's side of the suite: runs the cases of a part and tells the supervisor of each. */
import { writeSync } from "node:fs";
import type { Context, Part, Tried } from "./part";

/** The task of a worker, as JSON on its command line. */
export interface Task extends Context {
  readonly name: string;
  /** Number of the first case to run. */
  readonly first: number;
}

/** A line on standard output: first the names of all cases, then how each ended. */
export type Line = { readonly ids: readonly string[] } | Tried;

// At once: a process that is killed or crashes has then said all that it knew.
const say = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`);

async function tried(run: () => Promise<Tried> | Tried): Promise<Tried> {
  try {
    return await run();
  } catch (error) {
    return { end: "stack", text: error instanceof Error ? error.stack : String(error) };
  }
}

/** Runs the cases of the task's part from one of them on, and ends the process. */
export async function runCases(parts: readonly Part[]): Promise<never> {
  const { name, first, ...context } = JSON.parse(process.argv[2]!) as Task;
  const part = parts.find((each) => each.name === name);
  if (!part) throw new Error(`no part ${name}`);
  const cases = await part.cases(context);
  say({ ids: cases.map(({ id }) => id) });
  for (const each of cases.slice(first)) say(await tried(() => each.run()));
  process.exit(0);
}
