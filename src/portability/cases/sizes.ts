/** Sizes at and around the edges of tiles, and seeded mixtures of them. */
import { Philox } from "../../core/random";
import type { Case, Reference, Sized, Sizes } from "../../reference/reference";
import { crc32 } from "../crc32";

/** Cases in which every size at once is next to an edge of its own. */
const MIXTURES = 6;
const around = (edge: number) => [edge - 1, edge, edge + 1].filter((size) => size > 0);

/** Cases that differ from the base in one size, which lies at or next to an edge. */
export function edgeCases({ sized = [] }: Reference<unknown>): Case<unknown>[] {
  const all = sized.flatMap((way) =>
    Object.entries(way.edges).flatMap(([name, edges]) =>
      edges.flatMap(around).map((size) => make(way, { [name]: size })),
    ),
  );
  return distinct(all);
}

/** Cases in which every size lies at or next to an edge, as the seed says. */
export function mixedCases({ op, sized = [] }: Reference<unknown>, seed: number): Case<unknown>[] {
  const rng = new Philox(seed, crc32(`sizes ${op.name}`));
  // The largest edges at once would only take time: each size keeps to its smaller half.
  const pick = (edges: readonly number[]) => {
    const sizes = edges.slice(0, Math.ceil(edges.length / 2)).flatMap(around);
    return sizes[rng.int(sizes.length)]!;
  };
  const mixtures = sized.flatMap((way) =>
    Array.from({ length: MIXTURES }, () => {
      const entries = Object.entries(way.edges);
      return make(way, Object.fromEntries(entries.map(([name, edges]) => [name, pick(edges)])));
    }),
  );
  return distinct(mixtures);
}

/** Named by its sizes, `D7_H33_W5_CIN3`, unless the reference has a name for it. */
function make(sized: Sized<unknown>, changes: Sizes): Case<unknown> {
  const sizes = { ...sized.base, ...changes };
  const id = Object.entries(sizes)
    .map(([name, size]) => `${name}${size}`)
    .join("_");
  return { id, ...sized.make(sizes) };
}

function distinct(cases: readonly Case<unknown>[]): Case<unknown>[] {
  return [...new Map(cases.map((c) => [c.id, c])).values()];
}
