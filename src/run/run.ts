/** A whole training run: budget, reports, validations, checkpoints and pictures in its folder. */
import { during } from "../choose/observer";
import { UserError } from "../core/errors";
import type { Mask } from "../data/volume";
import { decisionText } from "../decision/decision_text";
import type { PatientSweep } from "../decision/threshold_table";
import { RankLost } from "../mpi/watch";
import type { TrainConfig } from "../settings/config";
import type { Metrics } from "../train/metrics";
import type { Statistics, Trainer } from "../train/trainer";
import { type Progress, saveCheckpoint } from "./checkpoint";
import { decide, type Sweeps } from "./decide";
import type { Lead } from "./lead";
import type { Observer } from "./observer";
import { beginRunEvents, type RunEvents } from "./run_events";
import { appendMetrics, checkpointPaths, flushMetrics, type RunFolder } from "./run_folder";
import type { FolderLock } from "./run_lock";
import { drawRunCurves, drawRunPatients, patientPicture } from "./run_pictures";
import { lineageMetadata } from "./start_parameters";
import { modelInfo } from "./trained_weights";
import { TrainingClock } from "./training_clock";
import { type Budget, TrainingRates } from "./training_rates";
import {
  type PatientOutcome,
  scoreFields,
  scoreOf,
  type ValidationPatient,
  type ValidationTask,
  visitsForTruth,
} from "./validate";
import { ValidationHistory } from "./validation_history";
import type { Reached } from "./validation_plan";
import { recordPatient, type ValidatedPatient, writeValidation } from "./validation_record";

export interface RunOptions {
  readonly trainer: Trainer;
  readonly folder: RunFolder;
  /** Of the folder: asked before something is written into it. */
  readonly lock: Pick<FolderLock, "check">;
  readonly patients: readonly ValidationPatient[];
  /** Predicts the patients, in their order. @throws the signal's reason when interrupted */
  readonly validate: (task: ValidationTask) => Promise<readonly PatientOutcome[]>;
  /** Where other processes share the work. */
  readonly lead?: Pick<Lead, "beforeStep" | "metrics" | "slowLines">;
  /** Where a resumed run continues. */
  readonly start: Progress;
  readonly observer: Observer;
  /** Ends the run early, with everything saved. */
  readonly signal: AbortSignal;
}

export interface RunResult {
  readonly iteration: number;
  /** Training time, seconds. */
  readonly seconds: number;
  readonly bestDice: number;
  readonly interrupted: boolean;
}

/** Trains until the budget is used up or the signal comes. */
export async function runTraining(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  return during(options.observer, "training", () => run.train());
}

class Run {
  private readonly clock: TrainingClock;
  private readonly validations: ValidationHistory;
  /** Of the validation at the end, unmirrored. */
  private readonly sweeps = new Map<string, PatientSweep>();
  /** Iteration of the first report whose loss was not finite. */
  private diverged: number | undefined;
  private readonly budget: Budget;
  private readonly rates: TrainingRates;
  private readonly events: RunEvents | undefined;

  constructor(private readonly o: RunOptions) {
    const { iterations, seconds, batch } = this.config;
    this.budget = iterations === undefined ? { seconds: seconds! } : { iterations };
    this.rates = new TrainingRates(this.budget, batch);
    this.events = beginRunEvents(o.folder, this.config, o.start);
    this.clock = new TrainingClock(o.start.seconds);
    this.validations = new ValidationHistory(o.folder, this.config, o.start);
  }

  private get config(): TrainConfig {
    return this.o.trainer.config;
  }

  /** Tells the observer what is new, and gives it with the measured rates. */
  private show(metrics: Metrics): Metrics {
    const measured = this.rates.measured(metrics);
    this.o.observer.onMetrics?.(measured, this.budget);
    return measured;
  }

  private get seconds(): number {
    return this.clock.seconds;
  }

  /** Share of the budget that is used up. */
  private get done(): number {
    const { iterations, seconds } = this.config;
    return iterations === undefined
      ? this.seconds / seconds!
      : this.o.trainer.iteration / iterations;
  }

  private get hasEnded(): boolean {
    return this.done >= 1 || this.validations.isPatienceOver;
  }

  private get reached(): Reached {
    return { iteration: this.o.trainer.iteration, seconds: this.seconds };
  }

  private get isDue(): boolean {
    return !this.hasEnded && this.validations.isDue(this.reached);
  }

  async train(): Promise<RunResult> {
    const { trainer, signal } = this.o;
    // An earlier session may have ended while it validated.
    if (this.isDue && !signal.aborted) await this.validateAndSave();
    // Drivers compile a kernel when it first runs, which takes a while and is no training time.
    let compiling = true;
    while (!this.hasEnded && !signal.aborted) {
      this.refuseDivergence();
      if (!(await this.step())) break;
      if (compiling) {
        await trainer.drain();
        compiling = false;
        this.show(this.reached);
        this.clock.start();
      }
      if (trainer.iteration % this.config.reportEvery === 0) {
        await this.requestReport();
      }
      if (this.isDue) {
        await trainer.drain();
        this.refuseDivergence();
        this.clock.stop();
        await this.validateAndSave();
        this.clock.start();
      }
    }
    // Interrupted, it reports when it goes on: as if nothing had been.
    if (!signal.aborted) await this.requestReport();
    await trainer.drain();
    this.clock.stop();
    this.refuseDivergence();
    if (signal.aborted) await this.save("last");
    else await this.finish();
    await this.drawCurves();
    const { bestDice } = this.validations;
    return { ...this.reached, bestDice, interrupted: signal.aborted };
  }

  /** One iteration; false where a rank was lost. */
  private async step(): Promise<boolean> {
    const { trainer, lead } = this.o;
    const { done } = this;
    try {
      await lead?.beforeStep(done);
      await trainer.step(done);
      return true;
    } catch (error) {
      // The loss of a rank aborts the signal too: what there is, is saved.
      if (!(error instanceof RankLost)) throw error;
      return false;
    }
  }

  /** The record comes last: a run that has it is complete. */
  private async finish(): Promise<void> {
    const { signal } = this.o;
    this.sayPatience();
    const predictions = new Map(await this.validateAndSave());
    if (!signal.aborted) await this.decide(predictions);
    if (!signal.aborted) await this.record(predictions);
  }

  private sayPatience(): void {
    const { patience } = this.config;
    if (this.done >= 1 || patience === undefined) return;
    const { bestIteration } = this.validations;
    this.o.observer.note(
      `--patience ${patience}: no better Dice since iteration ${bestIteration}; the run ends here`,
    );
  }

  /** Before anything is saved over a good checkpoint. */
  private refuseDivergence(): void {
    if (this.diverged === undefined) return;
    throw new UserError(
      `the loss is not finite at iteration ${this.diverged}: training diverged; lower ` +
        `--learning-rate; the last checkpoint in ${this.o.folder.path} is kept`,
    );
  }

  /**
   * The statistics arrive a little later, with the learning rate of now and the time of then: the device
   * is done with the iteration by then, and has only been handed it now.
   */
  private requestReport(): Promise<void> {
    const learningRate = this.o.trainer.learningRate(this.done);
    return this.o.trainer.report((statistics: Statistics) => {
      const { poolError, lossScale, skippedSteps, ...rest } = statistics;
      if (!Number.isFinite(rest.loss)) this.diverged ??= rest.iteration;
      const { lead, observer } = this.o;
      const metrics = { seconds: this.seconds, learningRate, ...rest, ...lead?.metrics() };
      for (const line of lead?.slowLines() ?? []) observer.note(line);
      const kept = { poolError, lossScale, skippedSteps };
      this.o.lock.check();
      const shown = this.show(metrics);
      appendMetrics(this.o.folder, { ...shown, ...kept });
      this.events?.report(shown);
    });
  }

  /** The masks of w̄ by patient; not all where interrupted. */
  private async validateAndSave(): Promise<ReadonlyMap<string, Mask>> {
    await this.save("last");
    const { trainer, patients, folder, signal } = this.o;
    const predictions = new Map<string, Mask>();
    try {
      const task = { mirrored: false, sweep: false };
      const byStudent = await this.o.validate({ ...task, weights: "student" });
      const sweep = this.hasEnded;
      const byMomentum = await this.o.validate({ ...task, weights: "momentum", sweep });
      for (const { id, mask, sweep } of byMomentum) {
        predictions.set(id, mask);
        if (sweep) this.sweeps.set(id, sweep);
      }
      const [student, momentum] = [scoreOf(byStudent), scoreOf(byMomentum)];
      const { reached } = this;
      const { perPatient, lesionF1PerPatient, ...means } = scoreFields(student, momentum);
      const shown = this.show({ ...reached, ...means });
      await this.keepBest(momentum.dice ?? student.dice);
      // Its line comes last: a validation without one is made again.
      if (!this.validations.has(reached.iteration)) {
        const line = { ...shown, perPatient, lesionF1PerPatient };
        appendMetrics(folder, line);
        this.events?.report(line);
      }
      this.validations.add(reached);
    } catch (error) {
      if (error !== signal.reason) throw error;
    }
    await this.drawCurves();
    const { memory, iteration } = trainer;
    const visitsOf = (each: ValidationPatient) => visitsForTruth(memory, each);
    await drawRunPatients(folder, patients, visitsOf, predictions, iteration, this.o.observer);
    const drawn = [...predictions.keys()].map((id) => patientPicture(folder, id));
    this.events?.pictures(iteration, drawn);
    return predictions;
  }

  /** All metrics of w̄, predicted as `predict` does. */
  private async record(predictions: Map<string, Mask>): Promise<void> {
    const { folder, patients, trainer, signal } = this.o;
    const { config, iteration } = trainer;
    if (config.mirror !== "" && !this.validations.bestIsLast) {
      const task = { weights: "momentum", mirrored: true, sweep: false } as const;
      try {
        for (const { id, mask } of await this.o.validate(task)) predictions.set(id, mask);
      } catch (error) {
        if (error !== signal.reason) throw error;
        return;
      }
    }
    const validated: ValidatedPatient[] = [];
    for (const each of patients) {
      validated.push(await recordPatient(folder, each, predictions.get(each.patient.id)!));
    }
    const endedEarly = this.done < 1 || undefined;
    writeValidation(folder, { endedEarly, iteration, seconds: this.seconds, patients: validated });
  }

  /**
   * Tunes the thresholds of the best weights. Where these are the last ones, masks of mirrored
   * predictions take the place of the others.
   */
  private async decide(predictions: Map<string, Mask>): Promise<void> {
    const { folder, patients, observer, signal } = this.o;
    if (patients.length === 0) return;
    let sweeps: Sweeps = this.sweeps;
    if (!this.validations.bestIsLast || this.config.mirror !== "") {
      observer.note(`tuning thresholds on ${patients.length} validation patients`);
      const weights = { file: checkpointPaths(folder, "best").weights };
      try {
        const outcomes = await this.o.validate({ weights, mirrored: true, sweep: true });
        sweeps = new Map(outcomes.map(({ id, sweep }) => [id, sweep!]));
        if (this.validations.bestIsLast)
          for (const { id, mask } of outcomes) predictions.set(id, mask);
      } catch (error) {
        if (error !== signal.reason) throw error;
        return;
      }
    }
    for (const line of decisionText(decide(folder, sweeps))) observer.note(line);
  }

  private async keepBest(dice: number | undefined): Promise<void> {
    this.validations.rank(this.o.trainer.iteration, dice);
    if (this.validations.bestIsLast) await this.save("best", dice);
  }

  private async save(kind: "last" | "best", dice?: number): Promise<void> {
    const { trainer, folder } = this.o;
    const { memory, state, specs, iteration, reported } = trainer;
    const progress: Progress = { iteration, seconds: this.seconds, reported, dice };
    const paths = checkpointPaths(folder, kind);
    this.o.lock.check();
    flushMetrics(folder);
    const info = modelInfo(this.config);
    const lineage = lineageMetadata(this.config);
    await saveCheckpoint(memory, state, specs, info, progress, paths, lineage);
  }

  private drawCurves(): Promise<void> {
    return drawRunCurves(this.o.folder, this.config, this.o.observer);
  }
}
