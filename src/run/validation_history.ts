/** The validations that a run has made, the best weights so far, and whether the next validation is due. */
import type { TrainConfig } from "../settings/config";
import { bestMark, type Progress } from "./checkpoint";
import { type RunFolder, readMetrics } from "./run_folder";
import { type Reached, validationsDue } from "./validation_plan";

export class ValidationHistory {
  /** Whether the newest weights are the best. */
  bestIsLast = false;
  /** Of the best weights; −1 without any score. */
  private dice: number;
  private iteration: number;
  /** The iterations that metrics.jsonl has validations of. */
  private readonly made: Set<number>;
  /** Validations that were due by then. */
  private due: number;

  /** @param start where the run begins, or goes on */
  constructor(
    folder: RunFolder,
    private readonly config: TrainConfig,
    start: Progress,
  ) {
    const lines = readMetrics(folder).filter(({ perPatient }) => perPatient !== undefined);
    const best = start.iteration > 0 || lines.length > 0 ? bestMark(folder) : undefined;
    this.dice = best?.dice ?? start.bestDice ?? -1;
    this.iteration = best?.iteration ?? 0;
    this.made = new Set(lines.map(({ iteration }) => iteration));
    this.due = validationsDue(config, lines.at(-1) ?? { iteration: 0, seconds: 0 });
  }

  get bestDice(): number {
    return this.dice;
  }

  get bestIteration(): number {
    return this.iteration;
  }

  /** Whether metrics.jsonl has a validation of this iteration. */
  has(iteration: number): boolean {
    return this.made.has(iteration);
  }

  /** Whether --patience ends the run: so many validations came after that of the best weights. */
  get isPatienceOver(): boolean {
    const { patience = Number.POSITIVE_INFINITY } = this.config;
    return [...this.made].filter((iteration) => iteration > this.iteration).length >= patience;
  }

  /**
   * Whether a validation is due that has not been made; the one at the end is not counted. Weights that
   * were given are validated before they are changed: nothing worse than they are becomes the best.
   */
  isDue(reached: Reached): boolean {
    const first = this.config.lineage !== undefined && this.made.size === 0;
    return first || validationsDue(this.config, reached) > this.due;
  }

  /**
   * Compares the newest weights with the best; without any score (no validation patient has lesions) the
   * newest are the best.
   */
  rank(iteration: number, dice: number | undefined): void {
    this.bestIsLast = dice === undefined || dice >= this.dice;
    if (!this.bestIsLast) return;
    this.dice = dice ?? this.dice;
    this.iteration = iteration;
  }

  add(reached: Reached): void {
    this.made.add(reached.iteration);
    this.due = validationsDue(this.config, reached);
  }
}
