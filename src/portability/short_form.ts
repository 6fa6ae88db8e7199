/** The short form: a few cases of every row. */
import { grouped } from "../infer/grouped";
import type { PortabilityCase } from "./case";

/** Cases of a row, but for other ways to run them; fewer where the row is one of several variants. */
const [SHORT, SHORT_OF_VARIANT] = [3, 2];

/**
 * Of the short cases of a row those that always are, some that lie far apart, and one of each other way to
 * run them: one of the same cases, whose kernels are compiled already, or else the last.
 * @param row all cases of a row that the adapter can run
 */
export function shortest(row: readonly PortabilityCase[]): PortabilityCase[] {
  const short = row.filter((c) => c.short);
  const own = short.filter(({ way }) => way === undefined);
  const others = short.filter(({ way }) => way !== undefined);
  const always = own.filter((c) => c.always);
  const rest = own.filter((c) => !c.always);
  const isVariant = own.some((c) => c.row.includes("/"));
  const count = isVariant ? Math.max(1, SHORT_OF_VARIANT - always.length) : SHORT;
  const chosen = [...always, ...spread(rest, count)];
  const names = new Set(chosen.map(({ name }) => name));
  const ofWays = grouped(others, ({ way }) => way!).map(
    (all) =>
      all.findLast((c) => c.always) ??
      all.findLast(({ name, way }) => names.has(name.slice(0, -way!.length - 1))) ??
      all.at(-1)!,
  );
  return [...chosen, ...ofWays];
}

function spread<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  const step = (all.length - 1) / count;
  return Array.from({ length: count }, (_, i) => all[Math.round((i + 1) * step)]!);
}
