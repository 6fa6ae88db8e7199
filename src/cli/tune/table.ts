/** The table that `bun run tune` prints. */

import type { Task } from "../../tune/task";
import type { Timing } from "../../tune/timing";

/** Three significant digits. */
const digits = (ms: number) => ms.toFixed(ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0);

function timingText(timing: Timing): string {
  if ("refused" in timing) return `${timing.name} refused`;
  return `${timing.name} ${digits(timing.milliseconds)}`;
}

/** A row for each choice, of an op the heaviest first; times are medians in milliseconds. */
export function tuneTable(tasks: readonly Task[]): string {
  const ops = [...new Set(tasks.map(({ op }) => op))];
  const order = ops.flatMap((op) =>
    tasks.filter((task) => task.op === op).toSorted((a, b) => b.weight - a.weight),
  );
  const rows = order.map((task) => {
    const { entry, label, candidates } = task;
    const changed = entry && entry.chosen !== candidates[0] ? "*" : "";
    const timings = entry
      ? entry.timings.map(timingText).join(", ")
      : `of ${candidates.join(", ")}`;
    return [label, entry ? `${entry.chosen}${changed}` : "not tuned", timings];
  });
  const widths = [0, 1].map((column) => Math.max(6, ...rows.map((row) => row[column]!.length)));
  const line = ([label = "", chosen = "", timings = ""]: readonly string[]) =>
    `${label.padEnd(widths[0]!)}  ${chosen.padEnd(widths[1]!)}  ${timings}`;
  const refused = order.flatMap(({ label, entry }) =>
    (entry?.timings ?? []).flatMap((timing) =>
      "refused" in timing ? [`refused: ${timing.name} for ${label}: ${timing.refused}`] : [],
    ),
  );
  return [line(["choice", "chosen", "ms (* not the default)"]), ...rows.map(line), ...refused].join(
    "\n",
  );
}
