/** Turns decided tasks into the choices that graphs ask for. */
import { type Choices, type Problem, problemKey } from "../core/variant";
import type { Task } from "./task";

/** What is known of the tasks, as a graph asks for it. Of other batches the nearest one's counts. */
export function choicesOf(tasks: readonly Task[]): Choices {
  const known = new Map<string, { readonly size: number; readonly chosen: string }[]>();
  const batches = new Map(tasks.map(({ op, batch }) => [op, batch]));
  const keyAndSize = (op: string, problem: Problem) => {
    const { [batches.get(op) ?? ""]: size = 1, ...rest } = problem;
    return { key: problemKey(op, rest), size };
  };
  for (const { op, problems, entry } of tasks) {
    for (const problem of entry ? problems : []) {
      const { key, size } = keyAndSize(op, problem);
      known.set(key, [...(known.get(key) ?? []), { size, chosen: entry!.chosen }]);
    }
  }
  return (op, problem) => {
    const { key, size } = keyAndSize(op, problem);
    const distance = (entry: { size: number }) => Math.abs(Math.log(entry.size / size));
    return known.get(key)?.toSorted((a, b) => distance(a) - distance(b))[0]?.chosen;
  };
}
