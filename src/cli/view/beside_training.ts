/** `bun run view` as `train --live` starts it. */
import { Option } from "commander";

/** Ends when its standard input does; takes the next port where one is taken. */
export const BESIDE_TRAINING = new Option("--beside-training").hideHelp();

/** Of a training's page: the same every time, for a tunnel from another machine. */
export const LIVE_PORT = 7007;

/** Aborted when the training has ended, however it did. */
export function untilTrainingEnds(): AbortSignal {
  const controller = new AbortController();
  process.stdin.on("end", () => controller.abort());
  process.stdin.on("error", () => controller.abort());
  process.stdin.resume();
  return controller.signal;
}
