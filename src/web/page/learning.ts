/** Learning from a reader's corrections: the weights in use, and a pair's answers before and after. */
import { messageOf } from "../../core/errors";
import { overlap } from "../../eval/dice";
import { duration } from "../../live/page/text";
import type { Budget } from "../../run/training_rates";
import { byId, make } from "../../viewer/page/dom";
import type { OpenedResult } from "../../viewer/page/source";
import { save } from "./downloads";
import { LearnView } from "./learn_view";
import type { Predictor } from "./predictor";
import type { Learned, PairScans, WeightsFile } from "./protocol";

/** As much of the page as it needs. */
export interface LearningPage {
  /** The scans that are shown. */
  readonly pair: PairScans | undefined;
  /** The answer that is shown, with all that the reader did; undefined where none is. */
  kept(): OpenedResult | undefined;
  /** Shows another answer of the pair. */
  showAnother(opened: OpenedResult): Promise<void>;
  /** Does what a stop ends, unless something is being done. */
  work(work: (predictor: Predictor, signal: AbortSignal) => Promise<void>): Promise<void>;
  stop(): void;
}

const NOTHING = "Nothing is corrected yet: accept, reject, draw or erase a lesion, and come back.";
const NO_STEP = "Stopped before the first iteration was done: the weights are as they were.";
/** In the report of an answer. */
const SEEN =
  "The network has learned from a reader's mask of this pair: this answer does not test the network.";

export class Learning {
  private shipped: readonly WeightsFile[] = [];
  private learned: WeightsFile | undefined;
  private usesLearned = false;
  /** Numbers of the pairs that the learned weights have seen the truth of. */
  private seen = new Set<number>();
  /** Learned weights that no download holds. */
  unsaved = false;
  /** Of the pair: the answer with the reader's corrections, and the one that came after learning. */
  private corrected: OpenedResult | undefined;
  private answer: OpenedResult | undefined;
  private shown: "corrected" | "answer" = "corrected";
  private summary = "";
  private readonly view: LearnView;
  private readonly trial = trialOf(location.search);
  private readonly line = make("p", { id: "run-weights" });

  constructor(private readonly page: LearningPage) {
    const actions = {
      start: (budget: Budget, fromShipped: boolean) => void this.start(budget, fromShipped),
      stop: () => page.stop(),
      download: () => this.download(),
      swap: () => void this.swap(),
      change: () => void this.change(),
    };
    this.view = new LearnView(actions, this.trial.budget);
    const back = make("button", { type: "button" }, "Use the shipped weights");
    back.addEventListener("click", () => void this.change());
    this.line.append("Looks with the weights that learned from your corrections. ", back);
    byId("run").prepend(this.line);
    this.rest();
  }

  set site(weights: readonly WeightsFile[]) {
    this.shipped = weights;
  }

  /** In use. */
  get weights(): readonly WeightsFile[] {
    return this.usesLearned && this.learned ? [this.learned] : this.shipped;
  }

  /** Other scans come: the weights stay in use. */
  forgetPair(): void {
    this.corrected = this.answer = undefined;
    this.summary = "";
    this.view.open(false);
    this.rest();
  }

  private rest(error = ""): void {
    const { summary, usesLearned, learned, corrected, answer, shown } = this;
    const both = corrected && answer ? { shown } : {};
    this.view.rest({ summary, hasLearned: learned !== undefined, usesLearned, ...both }, error);
    this.line.hidden = !usesLearned;
  }

  private async start(budget: Budget, fromShipped: boolean): Promise<void> {
    const { page } = this;
    const kept = page.kept();
    const { pair } = page;
    if (!kept?.corrected || !pair) return;
    if (!isCorrected(kept)) return this.rest(NOTHING);
    const [start] = fromShipped ? this.shipped : this.weights;
    const { corrected: truth } = kept;
    let learned: Learned | undefined;
    await this.work("training", budget, async (predictor, signal) => {
      signal.addEventListener("abort", () => this.view.stopping());
      const request = { ...pair, start: start!, truth, budget, batch: this.trial.batch };
      learned = await predictor.learn(request, (told) => this.view.progress(told), signal);
    });
    if (!learned) return;
    if (learned.iterations === 0) return this.rest(NO_STEP);
    this.seen = new Set([...(start === this.learned ? this.seen : []), pair.pair]);
    this.learned = learned.weights;
    this.usesLearned = this.unsaved = true;
    if (page.pair !== pair) return this.rest();
    [this.corrected, this.answer, this.shown] = [kept, undefined, "corrected"];
    this.summary = learnedText(learned);
    await this.predict();
    if (!this.answer) return;
    const before = overlap(truth.data, kept.mask.data).dice;
    const after = overlap(truth.data, (this.answer as OpenedResult).mask.data).dice;
    this.summary += ` Dice with your mask: ${before.toFixed(2)} before, ${after.toFixed(2)} now.`;
    this.rest();
  }

  /** By the weights in use. */
  private async predict(): Promise<void> {
    const { page } = this;
    const { pair } = page;
    const kept = page.kept();
    if (!pair || !kept) return;
    await this.work("predicting", undefined, async (predictor, signal) => {
      const request = { ...pair, patient: kept.record.patient, weights: this.weights };
      const tell = this.view.progress.bind(this.view);
      const result = await predictor.predict(request, tell, signal);
      const isSeen = this.usesLearned && this.seen.has(pair.pair);
      this.keep();
      [this.answer, this.shown] = [isSeen ? withRemark(result) : result, "answer"];
      await page.showAnother(this.answer);
    });
    this.rest();
  }

  /** Tells the panel of a work, and of its failure. */
  private async work(
    kind: "training" | "predicting",
    budget: Budget | undefined,
    work: (predictor: Predictor, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    await this.page.work(async (predictor, signal) => {
      if (kind === "training") this.view.beginTraining(budget!);
      else this.view.beginPredicting();
      try {
        await work(predictor, signal);
      } catch (error) {
        const cancelled = kind === "predicting" && signal.aborted;
        // A prediction that was cancelled has ended its worker.
        if (cancelled) void predictor.open();
        this.rest(cancelled ? "" : messageOf(error));
      }
    });
  }

  /** What the reader did to the answer that is shown. */
  private keep(): void {
    this[this.shown] = this.page.kept();
  }

  private async swap(): Promise<void> {
    this.keep();
    this.shown = this.shown === "answer" ? "corrected" : "answer";
    const next = this[this.shown];
    if (next) await this.page.showAnother(next);
    this.rest();
  }

  /** Shows the answer of the other weights: as it was given, or made now. */
  private async change(): Promise<void> {
    this.usesLearned = !this.usesLearned;
    this.rest();
    if (!this.page.kept()) return;
    const names = this.weights.map(({ sha256 }) => sha256).join();
    const isOfThem = (opened: OpenedResult | undefined) =>
      opened?.record.weights.map(({ sha256 }) => sha256).join() === names;
    const other = this.shown === "answer" ? "corrected" : "answer";
    if (isOfThem(this[other])) await this.swap();
    else if (!isOfThem(this.page.kept())) await this.predict();
  }

  private download(): void {
    if (!this.learned) return;
    const { bytes, name } = this.learned;
    save(new File([bytes], name, { type: "application/octet-stream" }));
    this.unsaved = false;
  }
}

/** Notes change no mask. */
const isCorrected = ({ decisions }: OpenedResult): boolean =>
  decisions?.log.some(({ action }) => !["note", "finish", "resume"].includes(action)) ?? false;

const withRemark = (opened: OpenedResult): OpenedResult => {
  const { record } = opened;
  const quality = { ...record.quality, lines: [...record.quality.lines, SEEN] };
  return { ...opened, record: { ...record, quality } };
};

const learnedText = ({ iterations, seconds }: Learned): string =>
  `Learned ${iterations} ${iterations === 1 ? "iteration" : "iterations"} in ${duration(seconds)}.`;

/** `?iterations=N&batch=B`: for trials on slow machines. */
function trialOf(search: string): { readonly budget?: Budget; readonly batch?: number } {
  const asked = new URLSearchParams(search);
  const whole = (name: string) => {
    const value = Number(asked.get(name));
    return Number.isInteger(value) && value > 0 ? value : undefined;
  };
  const iterations = whole("iterations");
  return { budget: iterations === undefined ? undefined : { iterations }, batch: whole("batch") };
}
