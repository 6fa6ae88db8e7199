/** Ends a training on all ranks: a signal of the system may reach one of them, and a rank may be lost. */
import type { Ranks } from "../mpi/ranks";
import { endSignalOf, Interruption } from "../platform/interruption";

/** Aborted by `signal`, by the signals that other ranks get, and by the loss of one. */
export function controllerOf(signal: AbortSignal, ranks: Ranks | undefined): AbortController {
  const controller = new AbortController();
  const abort = (reason: unknown) => {
    if (!controller.signal.aborted) controller.abort(reason);
  };
  const own = () => {
    ranks?.stop(endSignalOf(signal));
    abort(signal.reason);
  };
  if (signal.aborted) own();
  else signal.addEventListener("abort", own, { once: true });
  if (ranks) {
    ranks.events.onStop = (name) => abort(new Interruption(name, performance.now() / 1000));
    ranks.events.onLost = abort;
    if (ranks.lost) abort(ranks.lost);
  }
  return controller;
}
