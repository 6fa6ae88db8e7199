/** Shows on the terminal how a training or a prediction goes; Ctrl-C ends the phase that runs. */
import type { TuneProgress } from "../choose/observer";
import { type TuningProgress, tuningProgress } from "../choose/progress";
import type { TuneFlags } from "../choose/tune_options";
import { type Needs, type Tuned, tuneDevice } from "../choose/tuning";
import type { Device } from "../gpu/device";
import { say } from "../terminal/command";
import { type Interrupt, setInterruptedCode, watchInterrupt } from "../terminal/interrupt";
import type { Stages } from "../terminal/stages";
import type { Metrics } from "../train/metrics";
import type { Observer, Phase } from "./observer";
import { type PredictProgress, predictProgress } from "./prediction_progress";
import { type TrainingProgress, trainingProgress } from "./progress";
import type { Budget } from "./training_rates";

/** Said at the first Ctrl-C. Outside these phases Ctrl-C ends the process at once. */
const INTERRUPTIONS: Readonly<Record<Phase, string>> = {
  pairs: "interrupted; the pairs made so far are kept",
  tuning: "interrupted: what was tuned is kept",
  training: "interrupted: saving… (once more to leave without saving)",
  predicting: "interrupted: nothing is written",
  cohort:
    "interrupted: the patient in work is given up, what is done stays; the same command goes on",
  viewing: "the viewer ends",
};

interface Bars {
  tuning?: TuningProgress;
  training?: TrainingProgress;
  windows?: PredictProgress;
}

export class TerminalObserver implements Observer {
  private readonly controller = new AbortController();
  private interrupt: Interrupt | undefined;
  /** Of the present phase: at most one. */
  private bars: Bars = {};

  /** @param stages of a prediction, whose time is measured */
  constructor(private readonly stages?: Stages) {}

  /** Aborted by Ctrl-C. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  note(line: string): void {
    const [bar] = Object.values(this.bars);
    if (bar) bar.note(line);
    else say(line);
  }

  onBegin(phase: Phase): void {
    const onInterrupt = () => this.note(INTERRUPTIONS[phase]);
    this.interrupt = watchInterrupt(onInterrupt, process, this.controller);
  }

  onEnd(): void {
    for (const bar of Object.values(this.bars)) bar.stop();
    this.bars = {};
    this.interrupt?.dispose();
  }

  onTuning(progress: TuneProgress): void {
    this.bars.tuning ??= tuningProgress();
    this.bars.tuning.update(progress);
  }

  onMetrics(metrics: Metrics, budget: Budget): void {
    this.bars.training ??= trainingProgress(budget);
    this.bars.training.update(metrics);
  }

  onWindows(done: number, total: number): void {
    this.bars.windows ??= predictProgress(total);
    this.bars.windows.update(done);
  }

  onStage(stage: string): void {
    this.stages?.ended(stage);
  }
}

/** Tunes as a command does: with a bar, and an exit code where Ctrl-C ended it. */
export async function tuneAtTerminal(
  device: Device,
  needs: Needs,
  flags: TuneFlags,
): Promise<Tuned> {
  const observer = new TerminalObserver();
  const tuned = await tuneDevice(device, needs, flags, observer, observer.signal);
  if (tuned.interrupted) setInterruptedCode(observer.signal);
  return tuned;
}
