/** The heading: a line for each run, with how far it is. */
import { byId, make } from "../../viewer/page/dom";
import { runColour } from "./chart_specs";
import type { Run, Store } from "./store";
import { duration, score, short } from "./text";

const STATES = { training: "training", finished: "finished", ended: "not finished" } as const;

export function showRuns(store: Store, changed: () => void): void {
  const focused = document.activeElement?.id;
  byId("runs").replaceChildren(
    ...store.runs.map((run, i) => {
      const { info, state } = run;
      const choose = make(
        "button",
        { type: "button", class: "choose", id: `choose-${i}` },
        make("span", { class: "name", title: run.name }, run.name),
        make("span", { class: state ?? "" }, state ? STATES[state] : ""),
        make("span", { class: "facts" }, factsOf(run)),
      );
      const bar = make("span", { class: "bar" });
      bar.style.width = `${100 * (info ? doneOf(run) : 0)}%`;
      choose.append(bar);
      choose.addEventListener("click", () => {
        store.choose(run);
        changed();
      });
      const item = make("li", run === store.chosen ? { class: "chosen" } : {}, choose);
      item.style.setProperty("--run", runColour(store.runs.length > 1 ? i : 0));
      if (store.runs.length > 1) item.prepend(switchOf(run, i, changed));
      return item;
    }),
  );
  if (focused) document.getElementById(focused)?.focus();
}

function switchOf(run: Run, place: number, changed: () => void): HTMLElement {
  const button = make(
    "button",
    {
      ...{ type: "button", class: "show", id: `show-${place}` },
      ...{ "aria-pressed": String(run.shown), "aria-label": `Curves of ${run.name}` },
    },
    make("span"),
  );
  button.addEventListener("click", () => {
    run.shown = !run.shown;
    changed();
  });
  return button;
}

/** Share of the budget. */
function doneOf({ info, state, lines }: Run): number {
  if (state === "finished") return 1;
  const last = lines.at(-1);
  if (!info || !last) return 0;
  const { iterations, seconds } = info;
  const share =
    iterations === undefined ? last.seconds / (seconds ?? 1) : last.iteration / iterations;
  return Math.min(1, share);
}

function factsOf({ info, state, lines }: Run): string {
  const last = lines.at(-1);
  if (!info || !last) return state === "training" ? "no report yet" : "no reports";
  // It may have ended early, or by another budget that it was gone on with.
  const isOver = state === "finished";
  const total = isOver || info.iterations === undefined ? "" : ` of ${info.iterations}`;
  const budget = isOver || info.seconds === undefined ? "" : ` of ${duration(info.seconds)}`;
  const facts = [`iteration ${last.iteration}${total}`, `${duration(last.seconds)}${budget}`];
  if (state === "training") {
    if (last.secondsLeft !== undefined) facts.push(`${duration(last.secondsLeft)} left`);
    if (last.iterationsPerSecond !== undefined)
      facts.push(`${short(last.iterationsPerSecond)} it/s`);
    if (last.patchesPerSecond !== undefined)
      facts.push(`${short(last.patchesPerSecond)} patches/s`);
  }
  const best = lines.reduce<{ dice: number; at: number } | undefined>((found, line) => {
    const { diceMomentum: dice, iteration: at } = line;
    return dice !== undefined && dice > (found?.dice ?? -1) ? { dice, at } : found;
  }, undefined);
  if (best) facts.push(`best Dice w̄ ${score(best.dice)} at ${best.at}`);
  return facts.join(" · ");
}
