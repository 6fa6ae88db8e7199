/** The panel that takes the place of the lesions' list: begins a training, shows its curve, and what came of it. */

import type { Line } from "../../live/message";
import { Chart } from "../../live/page/chart";
import { duration } from "../../live/page/text";
import type { Budget } from "../../run/training_rates";
import type { Metrics } from "../../train/metrics";
import { button, byId, make } from "../../viewer/page/dom";
import type { Progress } from "./predictor";
import { stageAfter } from "./run_view";

export interface LearnActions {
  start(budget: Budget, fromShipped: boolean): void;
  /** Ends the training with its weights so far, or cancels the prediction. */
  stop(): void;
  download(): void;
  /** The corrected mask in place of the new answer, and back. */
  swap(): void;
  /** The shipped weights in place of the learned ones, and back. */
  change(): void;
}

/** What there is to choose once something was learned. */
export interface LearnState {
  readonly summary: string;
  readonly hasLearned: boolean;
  readonly usesLearned: boolean;
  /** What is shown; absent: there is no new answer for this pair. */
  readonly shown?: "corrected" | "answer";
}

const MINUTES = [1, 3, 10] as const;
const WHAT =
  "The network trains on this pair, here, with your corrected mask as the truth. An undecided lesion counts as a lesion.";
const LIMITS =
  "One pair is little data: on other pairs the network may become worse. And the answer on this pair no longer tests it, for it has seen the truth.";

export class LearnView {
  private readonly stage = make("p", { id: "learn-stage", role: "status" });
  private readonly count = make("p", { id: "learn-count" });
  private readonly bar = make("progress", { max: "1", "aria-label": "Share that is done" });
  private readonly stop = button("learn-stop", "Stop and keep the weights");
  private readonly error = make("p", { id: "learn-error", role: "alert" });
  private readonly summary = make("p", { id: "learn-summary", role: "status" });
  private readonly minutes = MINUTES.map((n) => button("", `${n} min`));
  private readonly again = make("input", { id: "learn-again", type: "checkbox" });
  private readonly againLine = make("label", {}, this.again, "from the shipped weights again");
  private readonly begins = button("learn-start", "Start learning", "primary");
  private readonly download = button("learn-download", "Download the weights");
  private readonly swap = button("learn-swap", "");
  private readonly change = button("learn-change", "");
  private readonly choice = make("div", { id: "learn-choice" });
  private readonly chart = new Chart(
    {
      title: "Loss by iteration",
      curves: [{ key: "loss", label: "loss", colour: "#7cb7ff", smoothed: true }],
    },
    (at) => this.chart.read(at),
  );
  private readonly lines: Line[] = [];
  private chosen: number = MINUTES[0];
  private budget: Budget = { seconds: 0 };

  /** @param trial in place of minutes, where the address asks for it */
  constructor(actions: LearnActions, trial: Budget | undefined) {
    const back = button("learn-back", "Back to the lesions");
    const group = make("div", { role: "group", "aria-label": "Time" }, ...this.minutes);
    this.choice.append(group, this.againLine, this.begins);
    const texts = make(
      "div",
      { class: "texts" },
      make("p", {}, WHAT),
      make("p", { class: "limits" }, LIMITS),
    );
    const work = make("div", { class: "work" });
    work.append(this.choice, this.stage, this.bar, this.count, this.stop, this.error, this.summary);
    work.append(make("div", { class: "after" }, this.swap, this.download, this.change));
    const heading = make("header", {}, make("h2", {}, "Learn from my corrections"), back);
    const panel = make("section", { id: "learn", "aria-label": "Learn from my corrections" });
    panel.append(heading, texts, work, this.chart.element);
    const open = button("learn-open", "Learn from my corrections …");
    byId("side").append(make("div", { id: "learn-line" }, open), panel);
    open.addEventListener("click", () => this.open(true));
    back.addEventListener("click", () => this.open(false));
    this.minutes.forEach((each, i) => {
      each.addEventListener("click", () => this.choose(MINUTES[i]!));
    });
    this.begins.addEventListener("click", () => {
      actions.start(trial ?? { seconds: 60 * this.chosen }, this.again.checked);
    });
    for (const [each, action] of [
      [this.stop, "stop"],
      [this.download, "download"],
      [this.swap, "swap"],
      [this.change, "change"],
    ] as const) {
      each.addEventListener("click", () => actions[action]());
    }
    this.choose(MINUTES[0]);
    this.chart.element.hidden = true;
    this.rest({ summary: "", hasLearned: false, usesLearned: false });
  }

  open(is: boolean): void {
    document.body.toggleAttribute("data-learn", is);
  }

  private choose(minutes: number): void {
    this.chosen = minutes;
    this.minutes.forEach((each, i) => {
      each.setAttribute("aria-pressed", String(MINUTES[i] === minutes));
    });
  }

  beginTraining(budget: Budget): void {
    this.budget = budget;
    this.lines.length = 0;
    this.busy("Preparing the pair", "Stop and keep the weights");
  }

  beginPredicting(): void {
    this.busy("Looking for lesions with these weights", "Cancel");
  }

  stopping(): void {
    this.stage.textContent = "Stops after this iteration …";
    this.stop.disabled = true;
  }

  progress(told: Progress): void {
    if (told.told === "metrics") this.report(told.metrics);
    else if (told.told === "windows") this.windows(told.done, told.total);
    else if (told.told === "stage") this.stage.textContent = stageAfter(told.ended) ?? "";
  }

  private report(metrics: Metrics): void {
    const { iteration, seconds, secondsLeft, iterationsPerSecond: rate } = metrics;
    const { budget } = this;
    if (!this.stop.disabled) this.stage.textContent = "Learning";
    this.bar.value =
      "iterations" in budget ? iteration / budget.iterations : seconds / budget.seconds;
    const speed = rate === undefined ? "" : `, ${rate.toPrecision(2)} iterations/s`;
    const left = secondsLeft === undefined ? "" : `, ${duration(secondsLeft)} left`;
    this.count.textContent = `iteration ${iteration}${speed}${left}`;
    if (metrics.loss === undefined) return;
    this.lines.push(metrics);
    this.chart.element.hidden = false;
    const run = { name: "", shown: true, pictures: [], log: [], problem: "", lines: this.lines };
    this.chart.draw([run], "iteration", undefined);
  }

  private windows(done: number, total: number): void {
    this.bar.value = total === 0 ? 1 : done / total;
    this.count.textContent = `window ${done} of ${total}`;
  }

  private busy(stage: string, stop: string): void {
    this.bar.removeAttribute("value");
    this.stage.textContent = stage;
    this.stop.textContent = stop;
    for (const part of [this.count, this.error, this.summary]) part.textContent = "";
    this.show(true);
  }

  rest({ summary, hasLearned, usesLearned, shown }: LearnState, error = ""): void {
    this.summary.textContent = summary;
    this.error.textContent = error;
    this.show(false);
    this.againLine.hidden = !usesLearned;
    this.again.checked = false;
    this.download.hidden = this.change.hidden = !hasLearned;
    this.change.textContent = usesLearned
      ? "Back to the shipped weights"
      : "Use the learned weights again";
    this.swap.hidden = shown === undefined;
    this.swap.textContent = shown === "answer" ? "Show my corrections" : "Show the new answer";
  }

  private show(running: boolean): void {
    this.choice.hidden = running;
    this.stop.disabled = false;
    for (const idle of [this.download, this.swap, this.change]) idle.hidden = running;
    for (const busy of [this.stage, this.bar, this.count, this.stop]) busy.hidden = !running;
  }
}
