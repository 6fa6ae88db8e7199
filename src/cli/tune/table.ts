/** The table that `bun run tune` prints. */
import type { Score } from "../../tune/contest";
import type { Task } from "../../tune/task";

/** Three significant digits. */
const digits = (ms: number) => ms.toFixed(ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0);

function scoreText(score: Score): string {
  if ("refused" in score) return `${score.name} refused`;
  return `${score.name} ${digits(score.milliseconds)}`;
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
    const scores = entry ? entry.scores.map(scoreText).join(", ") : `of ${candidates.join(", ")}`;
    return [label, entry ? `${entry.chosen}${changed}` : "not tuned", scores];
  });
  const widths = [0, 1].map((column) => Math.max(6, ...rows.map((row) => row[column]!.length)));
  const line = ([label = "", chosen = "", scores = ""]: readonly string[]) =>
    `${label.padEnd(widths[0]!)}  ${chosen.padEnd(widths[1]!)}  ${scores}`;
  const refused = order.flatMap(({ label, entry }) =>
    (entry?.scores ?? []).flatMap((score) =>
      "refused" in score ? [`refused: ${score.name} for ${label}: ${score.refused}`] : [],
    ),
  );
  return [line(["choice", "chosen", "ms (* not the default)"]), ...rows.map(line), ...refused].join(
    "\n",
  );
}
