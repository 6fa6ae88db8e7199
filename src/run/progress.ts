import { duration, ProgressLine, type ProgressOptions, rateText } from "../terminal/progress";
import { Rate } from "../terminal/rate";
import { finiteOnly, type Metrics } from "../train/metrics";

/** When a training ends: after so many iterations, or after so many seconds of training. */
export type Budget = { readonly iterations: number } | { readonly seconds: number };

export interface TrainingProgress {
  /** Takes what is new and returns it with the measured rates and the time left. */
  update(metrics: Metrics): Metrics;
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
export function trainingProgress(
  budget: Budget,
  patchesPerIteration: number,
  options: ProgressOptions = {},
): TrainingProgress {
  const { now = () => performance.now() / 1000 } = options;
  const bar = new ProgressLine(options);
  const iterations = new Rate();
  const speed = new Rate();
  // Training seconds pass slower than the clock's: validation and checkpoints do not count.
  const trainingTime = new Rate();
  let shown: Metrics = { iteration: 0, seconds: 0 };
  return {
    update: (metrics) => {
      const time = now();
      iterations.add(time, metrics.iteration);
      trainingTime.add(time, metrics.seconds);
      speed.add(metrics.seconds, metrics.iteration);
      const perSecond = speed.recent;
      const measured = {
        iterationsPerSecond: perSecond,
        patchesPerSecond: perSecond === undefined ? undefined : perSecond * patchesPerIteration,
        secondsLeft:
          "iterations" in budget
            ? iterations.secondsUntil(budget.iterations)
            : trainingTime.secondsUntil(budget.seconds),
      };
      const latest: Metrics = { ...finiteOnly(measured), ...metrics };
      shown = { ...shown, ...finiteOnly(latest) };
      bar.update(
        "iterations" in budget
          ? shown.iteration / budget.iterations
          : shown.seconds / budget.seconds,
        trainingFields(shown, budget),
      );
      return latest;
    },
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  };
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
  if (m.patchesPerSecond !== undefined) fields.push(rateText(m.patchesPerSecond, "patches"));
  if (m.positiveFraction !== undefined) {
    fields.push(`${Math.round(100 * m.positiveFraction)} % positive`);
  }
  if (m.selectedAgreement !== undefined) {
    fields.push(`ranks of w and w̄ ${m.selectedAgreement.toFixed(2)}`);
  }
  if (m.learningRate !== undefined) fields.push(`lr ${exponent(m.learningRate)}`);
  return fields;
}
