/** The measured speed of a training, and the time that it still takes. */
import { Rate } from "../terminal/rate";
import { finiteOnly, type Metrics } from "../train/metrics";

/** When a training ends: after so many iterations, or after so many seconds of training. */
export type Budget = { readonly iterations: number } | { readonly seconds: number };

export class TrainingRates {
  private readonly iterations = new Rate();
  private readonly speed = new Rate();
  /** Training seconds pass slower than the clock's: validation and checkpoints do not count. */
  private readonly trainingTime = new Rate();

  /** @param now seconds on a clock that does not jump */
  constructor(
    private readonly budget: Budget,
    private readonly patchesPerIteration: number,
    private readonly now = () => performance.now() / 1000,
  ) {}

  /** Takes what is new and returns it with the measured rates and the time left. */
  measured(metrics: Metrics): Metrics {
    const { budget, iterations, speed, trainingTime } = this;
    const time = this.now();
    iterations.add(time, metrics.iteration);
    trainingTime.add(time, metrics.seconds);
    speed.add(metrics.seconds, metrics.iteration);
    const perSecond = speed.recent;
    const rates = {
      iterationsPerSecond: perSecond,
      patchesPerSecond: perSecond === undefined ? undefined : perSecond * this.patchesPerIteration,
      secondsLeft:
        "iterations" in budget
          ? iterations.secondsUntil(budget.iterations)
          : trainingTime.secondsUntil(budget.seconds),
    };
    return { ...finiteOnly(rates), ...metrics };
  }
}
