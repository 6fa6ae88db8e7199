/**
 * A case as a GPU would be given it: sums in parts, more lanes, other sizes of workgroups
 * (kernels/partial_sums.ts). Software adapters give one part to everything by themselves.
 */
import type { Dispatch, Graph } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";

/** What a graph is to be recorded with, so that a GPU's sizes go to the variants that it took. */
export function asOnGpu({ caps, picks }: Graph): {
  readonly caps: Capabilities;
  readonly variants: Readonly<Record<string, string>>;
} {
  const variants = Object.fromEntries(picks.map(({ op, chosen }) => [op, chosen]));
  return { caps: { ...caps, kind: "hardware" }, variants };
}

const launchOf = ({ kernel: { name, source }, sizes }: Dispatch) =>
  JSON.stringify([name, source, sizes]);

/** Whether two recordings of a case launch other kernels, or with other sizes. */
export function isOtherWork(a: Graph, b: Graph): boolean {
  const [one, other] = [a, b].map(({ dispatches }) => dispatches.map(launchOf).join("\n"));
  return one !== other;
}
