/** A worker that makes pairs of its scans by their numbers. It reads a scan when it first needs it. */
import { parentPort } from "node:worker_threads";
import { UserError } from "../core/errors";
import type { SlotPair } from "../data/volume_slots";
import type { Background } from "./background";
import { generatePair } from "./generate";
import { keptBackground } from "./kept_background";
import { type SlotPairOptions, slotPair } from "./slot_pair";
import { phantomBackground, type Source } from "./sources";

/** The first message: the scans, of which pair k is made of number k mod their count. */
export interface WorkerSetup extends SlotPairOptions {
  readonly sources: readonly Source[];
  readonly phantoms: number;
  readonly seed: number;
}

export type WorkerAnswer =
  | { readonly index: number; readonly pair: SlotPair }
  | { readonly index: number; readonly error: string; readonly isUserError: boolean };

/** Scans that are kept in memory, each some 50 MB. */
const KEPT = 24;

let setup: WorkerSetup | undefined;
const kept = new Map<number, Background>();

async function backgroundOf(of: WorkerSetup, scan: number): Promise<Background> {
  const found = kept.get(scan);
  // The one that was used last is the last of the map.
  kept.delete(scan);
  const source = of.sources[scan];
  const background =
    found ??
    (source ? await keptBackground(source) : phantomBackground(of.seed, scan - of.sources.length));
  kept.set(scan, background);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return background;
}

async function pairOf(index: number): Promise<SlotPair> {
  if (!setup) throw new Error("worker: asked for a pair before its setup");
  const scans = setup.sources.length + setup.phantoms;
  const background = await backgroundOf(setup, index % scans);
  const pair = generatePair(background, [], setup.seed, index, { bias: "alike" });
  return slotPair(pair, setup, setup.seed, index);
}

// One after another: a second pair of the same scan finds it read.
let turn: Promise<void> = Promise.resolve();
parentPort?.on("message", (message: WorkerSetup | number) => {
  if (typeof message !== "number") {
    setup = message;
    return;
  }
  turn = turn.then(async () => {
    const answer = await pairOf(message).then(
      (pair): WorkerAnswer => ({ index: message, pair }),
      (error: Error): WorkerAnswer => ({
        index: message,
        error: error instanceof UserError ? error.message : (error.stack ?? error.message),
        isUserError: error instanceof UserError,
      }),
    );
    const { pair } = answer as { pair?: SlotPair };
    const moved = pair
      ? [pair.visit1, pair.visit2, ...pair.labels].map(({ buffer }) => buffer)
      : [];
    parentPort?.postMessage(answer, moved as ArrayBuffer[]);
  });
});
