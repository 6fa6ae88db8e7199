/** Candidates against each other: hopeless ones leave early, the others are timed in turns. */

/** A candidate that computes the right thing and is ready to be timed. */
export interface Runner {
  /** Milliseconds of one of `times` runs. */
  time(times: number): Promise<number>;
  /** How often runs of about `milliseconds` must be repeated for a good measurement. */
  timesFor(milliseconds: number): number;
  /** Why it was found to be wrong after all, when others were checked against it. */
  wrong?(): string | undefined;
  release(): void;
}

export interface Contestant {
  readonly name: string;
  /** Checks it. @throws Refused when it does not run, or not rightly */
  readonly start: () => Promise<Runner>;
}

/** A candidate that may not win, however fast; the message says why. */
export class Refused extends Error {
  override name = "Refused";
}

/** What became of a candidate. */
export type Score =
  | { readonly name: string; readonly refused: string }
  | {
      readonly name: string;
      /** Median over the rounds, and the least. */
      readonly milliseconds: number;
      readonly least: number;
      /** Not in the rounds: at first look it was too far behind. */
      readonly hopeless?: boolean;
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

/** Times the best of the first runs that put a candidate out. */
const HOPELESS = 4;
const ROUNDS = 7;
/** Runs shorter than this are timed again, repeated, before they count. */
const SHORT_MS = 20;
/** What the default may be slower than the best and still stay: less is noise. */
const MARGIN = 1.03;

interface Entrant {
  readonly name: string;
  readonly runner: Runner;
  /** Milliseconds of each round; before the first one, of the first look. */
  times: number[];
  hopeless?: boolean;
}

/**
 * Checks the contestants, all of them before any is timed, and lets them run in turns.
 * @param onBest called with the best so far
 * @returns undefined when the limit came before every candidate was timed
 */
export async function contest(
  contestants: readonly Contestant[],
  limit: Limit,
  onBest: (best: { name: string; milliseconds: number }) => void = () => {},
): Promise<Score[] | undefined> {
  const started = new Map<string, Runner>();
  const refused = new Map<string, string>();
  try {
    for (const { name, start } of contestants) {
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
    const entrants = await firstLooks(started, refused, limit, onBest);
    if (!entrants || !(await rounds(entrants, limit))) return undefined;
    return contestants.map(({ name }) => {
      const reason = refused.get(name);
      if (reason !== undefined) return { name, refused: reason };
      return scoreOf(entrants.find((entrant) => entrant.name === name)!);
    });
  } finally {
    for (const runner of started.values()) runner.release();
  }
}

async function firstLooks(
  started: ReadonlyMap<string, Runner>,
  refused: ReadonlyMap<string, string>,
  limit: Limit,
  onBest: (best: { name: string; milliseconds: number }) => void,
): Promise<Entrant[] | undefined> {
  const entrants: Entrant[] = [];
  let best = { name: "", milliseconds: Number.POSITIVE_INFINITY };
  for (const [name, runner] of started) {
    if (refused.has(name)) continue;
    if (limit.reached) return undefined;
    const once = await runner.time(1);
    const milliseconds = once < SHORT_MS ? await runner.time(runner.timesFor(once)) : once;
    entrants.push({ name, runner, times: [milliseconds] });
    if (milliseconds < best.milliseconds) best = { name, milliseconds };
    onBest(best);
  }
  for (const e of entrants) e.hopeless = e.times[0]! > HOPELESS * best.milliseconds;
  return entrants;
}

/** Each remaining candidate once a round; false when not even one round was finished. */
async function rounds(entrants: readonly Entrant[], limit: Limit): Promise<boolean> {
  const left = entrants.filter((e) => !e.hopeless);
  const repeats = left.map(({ runner, times }) => runner.timesFor(times[0]!));
  for (let round = 0; round < ROUNDS; round++) {
    const times: number[] = [];
    for (const [i, { runner }] of left.entries()) {
      if (limit.reached) return round > 0;
      times.push(await runner.time(repeats[i]!));
    }
    for (const [i, entrant] of left.entries()) {
      entrant.times = round === 0 ? [times[i]!] : [...entrant.times, times[i]!];
    }
  }
  return true;
}

function scoreOf({ name, times, hopeless }: Entrant): Score {
  const sorted = times.toSorted((a, b) => a - b);
  const milliseconds = sorted[Math.floor(sorted.length / 2)]!;
  return { name, milliseconds, least: sorted[0]!, ...(hopeless && { hopeless }) };
}

/**
 * The winner by √(least · median): the least tells what the kernel can do, the median what it does.
 * The first candidate, the default, stays unless another one is clearly faster. Undefined when all
 * were refused.
 */
export function winner(scores: readonly Score[]): string | undefined {
  const able = scores.flatMap((s) =>
    "least" in s ? [{ name: s.name, value: Math.sqrt(s.least * s.milliseconds) }] : [],
  );
  const best = able.reduce<(typeof able)[number] | undefined>(
    (a, b) => (a && a.value <= b.value ? a : b),
    undefined,
  );
  const first = able.find(({ name }) => name === scores[0]!.name);
  return first && first.value <= MARGIN * best!.value ? first.name : best?.name;
}
