import { duration, ProgressLine, type ProgressOptions, rateText } from "../terminal/progress";
import { finiteOnly, type Metrics } from "../train/metrics";
import type { Budget } from "./training_rates";

export interface TrainingProgress {
  /** Shows what is new beside what is known. */
  update(metrics: Metrics): void;
  /** Prints a line of its own without disturbing the bar. */
  note(line: string): void;
  /** Leaves the last state as an ordinary line. Call it in a `finally`. */
  stop(): void;
}

/** 0.001 → 1e-3: the way learning rates are written in papers. */
const exponent = (value: number) => value.toExponential(1).replace(".0e", "e").replace("e+0", "");

/**
 * The bar of `bun run train`: done, iterations/s, patches/s, time left, loss, validation Dice of w
 * and w̄, positive share among the selected patches, learning rate.
 */
export function trainingProgress(budget: Budget, options: ProgressOptions = {}): TrainingProgress {
  const bar = new ProgressLine(options);
  let shown: Metrics = { iteration: 0, seconds: 0 };
  return {
    update: (metrics) => {
      shown = { ...shown, ...finiteOnly(metrics) };
      const share =
        "iterations" in budget
          ? shown.iteration / budget.iterations
          : shown.seconds / budget.seconds;
      bar.update(share, trainingFields(shown, budget));
    },
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  };
}

/** Of all ranks and of one, where there are several. */
function patchesText({ ranks, exchangeShare }: Metrics, perSecond: number): string {
  const all = rateText(perSecond, "patches");
  if (ranks === undefined) return all;
  const share =
    exchangeShare === undefined ? "" : `, ${Math.round(100 * exchangeShare)} % exchanging`;
  return `${all} (${ranks} ranks, ${rateText(perSecond / ranks, "patches")} each${share})`;
}

/** The parts of the line, most important first: a narrow terminal drops from the end. */
function trainingFields(m: Metrics, budget: Budget): string[] {
  const total = "iterations" in budget ? `/${budget.iterations}` : "";
  const fields = [`iteration ${m.iteration}${total}`];
  if (m.secondsLeft !== undefined) fields.push(`${duration(m.secondsLeft)} left`);
  if (m.loss !== undefined) fields.push(`loss ${m.loss.toFixed(4)}`);
  const dice = [
    m.diceStudent === undefined ? "" : ` w ${m.diceStudent.toFixed(3)}`,
    m.diceMomentum === undefined ? "" : ` w̄ ${m.diceMomentum.toFixed(3)}`,
  ].join("");
  if (dice) fields.push(`Dice${dice}`);
  if (m.iterationsPerSecond !== undefined) fields.push(rateText(m.iterationsPerSecond, "it"));
  if (m.patchesPerSecond !== undefined) fields.push(patchesText(m, m.patchesPerSecond));
  if (m.positiveFraction !== undefined) {
    fields.push(`${Math.round(100 * m.positiveFraction)} % positive`);
  }
  if (m.selectedAgreement !== undefined) {
    fields.push(`ranks of w and w̄ ${m.selectedAgreement.toFixed(2)}`);
  }
  if (m.learningRate !== undefined) fields.push(`lr ${exponent(m.learningRate)}`);
  return fields;
}
