/** Tuning tells of itself to a terminal, a page or a test that listens. */
import type { TuneProgress } from "../tune/tuner";

export type { TuneProgress };

export interface TuneObserver {
  /** A line for people. */
  note(line: string): void;
  /** A part of the work begins that the caller's signal ends early. */
  onBegin?(phase: "tuning"): void;
  /** It has ended, well or not. */
  onEnd?(phase: "tuning"): void;
  onTuning?(progress: TuneProgress): void;
}

/** Tells an observer of the beginning and the end of `work`. */
export async function during<Phase extends string, T>(
  observer: { onBegin?(phase: Phase): void; onEnd?(phase: Phase): void },
  phase: Phase,
  work: () => Promise<T>,
): Promise<T> {
  observer.onBegin?.(phase);
  try {
    return await work();
  } finally {
    observer.onEnd?.(phase);
  }
}
