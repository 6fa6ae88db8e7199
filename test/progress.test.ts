import { expect, test } from "bun:test";
import { tuningProgress } from "../src/choose/progress";
import { predictProgress } from "../src/run/prediction_progress";
import { trainingProgress } from "../src/run/progress";
import { TrainingRates } from "../src/run/training_rates";
import { duration } from "../src/terminal/progress";
import { Rate } from "../src/terminal/rate";

/** A stream that remembers, with a clock that only moves when it is told to. */
function fake(isTTY: boolean, columns = 200) {
  const clock = { seconds: 1000 };
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  const options = {
    stream: stream as unknown as NodeJS.WriteStream,
    now: () => clock.seconds,
    lineInterval: 10,
  };
  return { clock, options, text: () => written.join("") };
}

test("time left follows from the mean, the shown rate from the last seconds", () => {
  const rate = new Rate(20);
  expect([rate.recent, rate.mean, rate.secondsUntil(10)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  for (let t = 0; t <= 100; t++) rate.add(t, t); // 1 per second
  for (let t = 101; t <= 200; t++) rate.add(t, 100 + 3 * (t - 100)); // 3 per second
  expect(rate.recent).toBe(3);
  expect(rate.mean).toBe(2);
  expect(rate.secondsUntil(600)).toBe(100);
  expect(rate.secondsUntil(300)).toBe(0);
});

test("a clock or a count that stands still gives no rate, not infinity or NaN", () => {
  const rate = new Rate();
  rate.add(5, 0);
  rate.add(5, 10);
  expect(rate.recent).toBeUndefined();
  rate.add(6, 10);
  rate.add(90, 10);
  expect(rate.recent).toBeUndefined();
  expect(rate.secondsUntil(20)).toBe(85);
});

test("durations are rounded to what matters", () => {
  const seconds = [0, 44.6, 99.4, 99.6, 720, 5990, 6300, 10800];
  expect(seconds.map(duration)).toEqual([
    "0 s",
    "45 s",
    "99 s",
    "2 min",
    "12 min",
    "1 h 40 min",
    "1 h 45 min",
    "3 h 00 min",
  ]);
});

test("without a terminal: plain lines at intervals and a last one, no control codes", () => {
  const { clock, options, text } = fake(false);
  const budget = { iterations: 400 };
  const rates = new TrainingRates(budget, 32, options.now);
  const progress = trainingProgress(budget, options);
  for (let iteration = 0; iteration <= 100; iteration++) {
    const metrics = { iteration, seconds: iteration / 4, loss: iteration ? 0.5 : Number.NaN };
    const dice = iteration === 50 ? { diceStudent: 0.25, diceMomentum: 0.5 } : {};
    const more = { ...dice, learningRate: 1e-3, positiveFraction: 0.625 };
    progress.update(rates.measured({ ...metrics, ...more }));
    clock.seconds += 0.25;
  }
  progress.note("checkpoint saved");
  progress.stop();
  const fields =
    "loss 0.5000  Dice w 0.250 w̄ 0.500  4.00 it/s  128 patches/s  63 % positive  lr 1e-3";
  expect(text().split("\n")).toEqual([
    "0 %  iteration 0/400  63 % positive  lr 1e-3",
    "10 %  iteration 40/400  90 s left  loss 0.5000  4.00 it/s  128 patches/s  63 % positive  lr 1e-3",
    `20 %  iteration 80/400  80 s left  ${fields}`,
    "checkpoint saved",
    `25 %  iteration 100/400  75 s left  ${fields}`,
    "",
  ]);
});

test("rates and a budget of time count training seconds, time left includes the pauses", () => {
  const { clock, options, text } = fake(false);
  const budget = { seconds: 100 };
  const rates = new TrainingRates(budget, 8, options.now);
  const progress = trainingProgress(budget, options);
  progress.update(rates.measured({ iteration: 0, seconds: 0 }));
  clock.seconds += 40; // 20 s of training, 20 s of validation
  const metrics = rates.measured({ iteration: 10, seconds: 20 });
  expect(metrics).toEqual({
    iteration: 10,
    seconds: 20,
    iterationsPerSecond: 0.5,
    patchesPerSecond: 4,
    secondsLeft: 160,
  });
  progress.update(metrics);
  progress.stop();
  expect(text()).toContain("20 %  iteration 10  3 min left  0.500 it/s  4.00 patches/s\n");
});

test("on a terminal the bar fits its width, drops the least important, and ends as a line", () => {
  for (const columns of [20, 60, 200]) {
    const { clock, options, text } = fake(true, columns);
    const budget = { iterations: 10 };
    const rates = new TrainingRates(budget, 4, options.now);
    const progress = trainingProgress(budget, options);
    progress.update(rates.measured({ iteration: 0, seconds: 0 }));
    clock.seconds += 1;
    progress.update(rates.measured({ iteration: 5, seconds: 1, loss: 0.75, learningRate: 1e-5 }));
    progress.note("a note");
    progress.stop();
    const pieces = text()
      .replaceAll("\u001b", "\n")
      .split(/\n(?:\[[\d;?]*[A-Za-z]|\d)?/);
    const bars = pieces.filter((piece) => piece.includes("█"));
    expect(bars.length, `${columns}`).toBeGreaterThan(0);
    for (const bar of bars) expect(bar.length, `${columns}: ${bar}`).toBeLessThan(columns);
    expect(bars.some((bar) => bar.includes("lr 1e-5"))).toBe(columns === 200);
    expect(pieces).toContain("a note");
    expect(text()).toEndWith(
      "50 %  iteration 5/10  1 s left  loss 0.7500  5.00 it/s  20.0 patches/s  lr 1e-5\n",
    );
    expect(text()).not.toMatch(/NaN|undefined|Infinity/);
  }
});

test("prediction shows windows, also when there are none", () => {
  const { clock, options, text } = fake(false);
  const progress = predictProgress(1200, options);
  for (let done = 0; done <= 1200; done += 300) {
    progress.update(done);
    clock.seconds += 10;
  }
  progress.stop();
  expect(text().split("\n").slice(0, 3)).toEqual([
    "0 %  window 0/1200",
    "25 %  window 300/1200  30 s left  30.0 windows/s",
    "50 %  window 600/1200  20 s left  30.0 windows/s",
  ]);
  const none = fake(false);
  predictProgress(0, none.options).stop();
  expect(none.text()).toBe("100 %  window 0/0\n");
});

test("tuning shows what is tuned, its best candidate and the time limit", () => {
  const { clock, options, text } = fake(false);
  const progress = tuningProgress(options);
  const at = { done: 3, total: 12, secondsLeft: 41.6, label: "conv3d K=3" };
  progress.update(at);
  clock.seconds += 10;
  progress.update({ ...at, best: { name: "winograd", milliseconds: 3.456 } });
  progress.note("conv3d K=3: tiled refused: wrong result");
  progress.stop();
  expect(text().split("\n")).toEqual([
    "25 %  tuning 3/12  at most 42 s left  conv3d K=3",
    "25 %  tuning 3/12  at most 42 s left  conv3d K=3  winograd 3.46 ms",
    "conv3d K=3: tiled refused: wrong result",
    "",
  ]);
});
