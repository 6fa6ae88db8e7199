/** Patients with any number of visits, and the pairs of visits that a cohort is made of. */

/** Paths of one visit's files. */
export interface Visit {
  /** Part of the names of its pairs, e.g. "T2". */
  readonly name: string;
  readonly flair: string;
  /** All lesions, on the grid of the FLAIR. */
  readonly lesions?: string;
  /** Lesions that are new since the visit before, on the grid of the FLAIR. */
  readonly newLesions?: string;
}

export interface Subject {
  readonly id: string;
  /** In the order of time. */
  readonly visits: readonly Visit[];
}

export interface VisitPair {
  /** E.g. "P1_T1_T2". */
  readonly id: string;
  /** Id of the subject. */
  readonly person: string;
  readonly visits: readonly [Visit, Visit];
  /** Published mask of the new lesions, on the grid of the second FLAIR. */
  readonly newLesions?: string;
}

export const PAIR_CHOICES = ["consecutive", "all"] as const;
/** "consecutive": each visit with the next one. */
export type PairChoice = (typeof PAIR_CHOICES)[number];

/** Pairs that can be made, and a line for each patient or pair that cannot. */
export interface FoundPairs {
  readonly pairs: readonly VisitPair[];
  readonly leftOut: readonly string[];
}

export function pairsOf(subjects: readonly Subject[], choice: PairChoice): FoundPairs {
  const pairs: VisitPair[] = [];
  const leftOut: string[] = [];
  for (const { id, visits } of subjects) {
    if (visits.length < 2) {
      const found = visits[0] ? `one visit only (${visits[0].name})` : "no visit with a FLAIR";
      leftOut.push(`${id}: ${found}; a pair needs two; left out`);
    }
    for (const [first, earlier] of visits.entries()) {
      const last = choice === "all" ? visits.length : first + 2;
      for (const later of visits.slice(first + 1, last)) {
        const pair = pairOf(id, earlier, later, visits[first + 1] === later);
        if (typeof pair === "string") leftOut.push(pair);
        else pairs.push(pair);
      }
    }
  }
  return { pairs, leftOut };
}

/** The pair, or why there is none. */
function pairOf(id: string, earlier: Visit, later: Visit, next: boolean): VisitPair | string {
  const name = `${id}_${earlier.name}_${later.name}`;
  const pair: VisitPair = { id: name, person: id, visits: [earlier, later] };
  if (next && later.newLesions) return { ...pair, newLesions: later.newLesions };
  const bare = [earlier, later].filter(({ lesions }) => lesions === undefined);
  if (bare.length === 0) return pair;
  return `${name}: no mask of the lesions at ${bare.map((each) => each.name).join(" and ")}; left out`;
}
