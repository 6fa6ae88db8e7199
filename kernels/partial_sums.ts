/**
 * Shares out the terms of a sum where few results would keep few threads busy. Only a GPU
 * gains: on a processor a barrier costs more than the terms that it saves a thread.
 */
import type { Capabilities } from "../src/core/kernel";

/** Threads that share `terms`, a power of two; loads are what they wait for, so about a term each. */
export function partialSumLanes(terms: number, { kind }: Capabilities, most = 32): number {
  if (kind !== "hardware") return 1;
  return Math.min(most, 2 ** Math.floor(Math.log2(Math.max(1, terms))));
}

/** Workgroups that share `terms`, about `each` of them apiece. */
export function partialSumSplits(terms: number, each: number, { kind }: Capabilities): number {
  return kind === "hardware" ? Math.ceil(terms / each) : 1;
}
