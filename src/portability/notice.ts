/**
 * The search for a case that notices a planted defect. It depends on the defect alone: a case counts only
 * where it passes without the defect, and one that ends by the clock says nothing.
 */
import type { Way } from "./case";
import type { ListedCase, Reply, Request } from "./messages";
import type { Mutant } from "./mutants/defect";
import { WorkerLost } from "./runner";

/** Whatever answers requests as a worker does (runner.ts). */
export interface Asked {
  ask(request: Request, patience?: number): Promise<Reply>;
}

/** The case that noticed, and how. */
export interface Notice {
  readonly id: string;
  readonly how: string;
}

export interface Search {
  /** Absent: no case noticed. */
  readonly notice?: Notice;
  readonly tried: number;
  /** Cases that took too long with the defect, or are wrong without it too. */
  readonly doubtful: readonly string[];
}

/** Between the places at which rows begin. */
const PLACES = 11;

/**
 * Runs the cases with the defect until one notices it, or to the last.
 * @param first the way of the cases that come before all others
 */
export async function searchNotice(
  column: Asked,
  cases: readonly ListedCase[],
  mutant: Mutant,
  first?: Way,
): Promise<Search> {
  const doubtful: string[] = [];
  let tried = 0;
  const isFirst = ({ id }: ListedCase) => first !== undefined && id.includes(`_${first}@`);
  const ordered = interleaved(cases);
  const rest = ordered.filter((c) => !isFirst(c));
  for (const c of [...ordered.filter(isFirst), ...rest]) {
    tried++;
    const how = await wrongness(column, c, mutant);
    if (how === undefined) continue;
    // A device that a defect has upset may not be sound: the case passes by itself, or it is no witness.
    const without = how === "hung" ? how : await wrongness(column, c);
    if (without === undefined) return { notice: { id: c.id, how }, tried, doubtful };
    doubtful.push(`${c.id}: ${how === "hung" ? "no answer in time" : `${without} without it too`}`);
  }
  return { tried, doubtful };
}

/** A case of every row, each from another place in its row, then the next; what takes long at the end. */
function interleaved(cases: readonly ListedCase[]): ListedCase[] {
  const rows = [...Map.groupBy(cases, ({ row }) => row).values()];
  const placed = rows.flatMap((row, r) =>
    row.map((_, place) => ({ place, c: row[(place + PLACES * r) % row.length]! })),
  );
  placed.sort((a, b) => a.c.patience - b.c.patience || a.place - b.place);
  return placed.map(({ c }) => c);
}

/** The fault of a case, with a defect or as it is; undefined where it passes. */
async function wrongness(
  column: Asked,
  { id, patience }: ListedCase,
  mutant?: Mutant,
): Promise<string | undefined> {
  try {
    const planted = mutant && { kernel: mutant.kernel, from: mutant.from, to: mutant.to };
    const reply = await column.ask({ do: "run", id, mutant: planted }, patience);
    if (!("outcome" in reply)) throw new Error(`the worker answered ${JSON.stringify(reply)}`);
    const { faults, worst } = reply.outcome;
    if (faults.length === 0) return undefined;
    if (faults.some((fault) => /was written/.test(fault))) return "stray write";
    if (faults.every((fault) => /differ|other bits/.test(fault))) return "not repeatable";
    return Number.isFinite(worst) && worst !== null
      ? `${worst.toExponential(0)} × bound`
      : "exact, or NaN";
  } catch (error) {
    if (error instanceof WorkerLost) return error.status;
    throw error; // a shader that does not compile is no defect that a suite could miss
  }
}
