/** Times candidates in turns, but those that are far too slow at first look. */

/** A candidate that computes the right thing and is ready to be timed. */
export interface StartedCandidate {
  /** Milliseconds of one of `times` runs. */
  time(times: number): Promise<number>;
  /** How often runs of about `milliseconds` must be repeated for a good measurement. */
  timesFor(milliseconds: number): number;
  /** Why it was found to be wrong after all, when others were checked against it. */
  wrong?(): string | undefined;
  release(): void;
}

/** One of several implementations, not compiled yet. */
export interface Candidate {
  readonly name: string;
  /** Checks it. @throws Refused when it does not run, or not rightly */
  readonly start: () => Promise<StartedCandidate>;
}

/** A candidate that may not be chosen, however fast; the message says why. */
export class Refused extends Error {
  override name = "Refused";
}

/** The times of a candidate, or why it has none. */
export type Timing =
  | { readonly name: string; readonly refused: string }
  | {
      readonly name: string;
      /** Median over the rounds, and the least. */
      readonly milliseconds: number;
      readonly least: number;
      /** Not in the rounds: at first look it was far slower than the best. */
      readonly slow?: boolean;
    };

/** When to stop; looked at between any two runs. */
export class Limit {
  private readonly end: number;

  constructor(
    seconds: number,
    private readonly signal?: AbortSignal,
    /** Seconds on a clock that does not jump. */
    private readonly now: () => number = () => performance.now() / 1000,
  ) {
    this.end = now() + seconds;
  }

  get secondsLeft(): number {
    return Math.max(0, this.end - this.now());
  }

  /** Why to stop, if so. */
  get reached(): "time" | "interrupted" | undefined {
    if (this.signal?.aborted) return "interrupted";
    return this.secondsLeft > 0 ? undefined : "time";
  }
}

/** A candidate whose first run takes more than this many times the best one is not in the rounds. */
const SLOW = 4;
const ROUNDS = 7;
/** Runs shorter than this are timed again, repeated, before they count. */
const SHORT_MS = 20;
/** What the default may be slower than the best and still stay: less is noise. */
const MARGIN = 1.03;

/** A candidate and its times so far. */
interface Timed {
  readonly name: string;
  readonly candidate: StartedCandidate;
  /** Milliseconds of each round; before the first one, of the first look. */
  times: number[];
  slow?: boolean;
}

/**
 * Checks the candidates, all of them before any is timed, and times them in turns.
 * @param onBest called with the best so far
 * @returns undefined when the limit came before every candidate was timed
 */
export async function timeCandidates(
  candidates: readonly Candidate[],
  limit: Limit,
  onBest: (best: { name: string; milliseconds: number }) => void = () => {},
): Promise<Timing[] | undefined> {
  const started = new Map<string, StartedCandidate>();
  const refused = new Map<string, string>();
  try {
    for (const { name, start } of candidates) {
      if (limit.reached) return undefined;
      try {
        started.set(name, await start());
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused.set(name, error.message);
      }
    }
    for (const [name, { wrong }] of started) {
      const reason = wrong?.();
      if (reason !== undefined) refused.set(name, reason);
    }
    const timed = await firstLooks(started, refused, limit, onBest);
    if (!timed || !(await rounds(timed, limit))) return undefined;
    return candidates.map(({ name }) => {
      const reason = refused.get(name);
      if (reason !== undefined) return { name, refused: reason };
      return timingOf(timed.find((t) => t.name === name)!);
    });
  } finally {
    for (const candidate of started.values()) candidate.release();
  }
}

async function firstLooks(
  started: ReadonlyMap<string, StartedCandidate>,
  refused: ReadonlyMap<string, string>,
  limit: Limit,
  onBest: (best: { name: string; milliseconds: number }) => void,
): Promise<Timed[] | undefined> {
  const timed: Timed[] = [];
  let best = { name: "", milliseconds: Number.POSITIVE_INFINITY };
  for (const [name, candidate] of started) {
    if (refused.has(name)) continue;
    if (limit.reached) return undefined;
    const once = await candidate.time(1);
    const milliseconds = once < SHORT_MS ? await candidate.time(candidate.timesFor(once)) : once;
    timed.push({ name, candidate, times: [milliseconds] });
    if (milliseconds < best.milliseconds) best = { name, milliseconds };
    onBest(best);
  }
  for (const t of timed) t.slow = t.times[0]! > SLOW * best.milliseconds;
  return timed;
}

/** Each remaining candidate once a round; false when not even one round was finished. */
async function rounds(timed: readonly Timed[], limit: Limit): Promise<boolean> {
  const left = timed.filter(({ slow }) => !slow);
  const repeats = left.map(({ candidate, times }) => candidate.timesFor(times[0]!));
  for (let round = 0; round < ROUNDS; round++) {
    const times: number[] = [];
    for (const [i, { candidate }] of left.entries()) {
      if (limit.reached) return round > 0;
      times.push(await candidate.time(repeats[i]!));
    }
    for (const [i, each] of left.entries()) {
      each.times = round === 0 ? [times[i]!] : [...each.times, times[i]!];
    }
  }
  return true;
}

function timingOf({ name, times, slow }: Timed): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const milliseconds = sorted[Math.floor(sorted.length / 2)]!;
  return { name, milliseconds, least: sorted[0]!, ...(slow && { slow }) };
}

/**
 * The fastest by √(least · median): the least tells what the kernel can do, the median what it does.
 * The first candidate, the default, stays unless another one is clearly faster. Undefined when all
 * were refused.
 */
export function fastest(timings: readonly Timing[]): string | undefined {
  const able = timings.flatMap((t) =>
    "least" in t ? [{ name: t.name, value: Math.sqrt(t.least * t.milliseconds) }] : [],
  );
  const best = able.reduce<(typeof able)[number] | undefined>(
    (a, b) => (a && a.value <= b.value ? a : b),
    undefined,
  );
  const first = able.find(({ name }) => name === timings[0]!.name);
  return first && first.value <= MARGIN * best!.value ? first.name : best?.name;
}
