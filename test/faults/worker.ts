/**
 * `bun test/faults/worker.ts JSON`: runs the cases of a part from one of them on, in a process that may
 * be ended when one hangs. A line of JSON on standard output for their number, then one for each.
 */
import { writeSync } from "node:fs";
import type { Context, Tried } from "./part";
import { PARTS } from "./parts";

/** The task of a worker. */
export interface Task extends Context {
  readonly name: string;
  /** Number of the first case to run. */
  readonly first: number;
}

/** Its lines. */
export type Line =
  | { readonly count: number; readonly ids: readonly string[] }
  | ({ readonly index: number } & Tried);

// At once: a process that is killed or crashes has then said all that it knew.
const say = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`);

async function tried(run: () => Promise<Tried> | Tried): Promise<Tried> {
  try {
    return await run();
  } catch (error) {
    return { end: "stack", text: error instanceof Error ? error.stack : String(error) };
  }
}

const { name, first, ...context } = JSON.parse(process.argv[2]!) as Task;
const part = PARTS.find((each) => each.name === name);
if (!part) throw new Error(`no part ${name}`);
const cases = await part.cases(context);
say({ count: cases.length, ids: cases.map(({ id }) => id) });
for (let index = first; index < cases.length; index++) {
  say({ index, ...(await tried(() => cases[index]!.run())) });
}
process.exit(0);
