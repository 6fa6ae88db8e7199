/**
 * Every op of the registry by itself, forward and backward, whether a preset runs it or not: at the
 * large sizes of its float64 reference, or else on the largest of its cases.
 */

import { Philox } from "../src/core/random";
import type { Tensor } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import type { Memory } from "../src/gpu/memory";
import { OpGraph } from "../src/portability/op_run";
import { casesBySize, outlineOf } from "../src/portability/outline";
import { references } from "../src/reference/index";
import type { Case, Reference } from "../src/reference/reference";
import type { Bench } from "./bench";
import { opOf } from "./cost";
import { measureRow } from "./kernels";
import type { KernelRow } from "./report/schema";
import { RowBook } from "./rows";

/** The case that is timed. */
export function largeCase(reference: Reference<unknown>): Case<unknown> {
  const way = reference.sized?.find(({ large }) => large);
  if (!way) return casesBySize(reference).at(-1)!;
  return { id: "large", ...way.make({ ...way.base, ...way.large }) };
}

/** Gives indices, positions and tables their values, which send a kernel where it really goes. */
function uploadIntegers(
  memory: Memory,
  c: Case<unknown>,
  reference: Reference<unknown>,
  inputs: Readonly<Record<string, Tensor>>,
): void {
  const given = reference.data?.(c, new Philox(1)) ?? {};
  for (const [name, t] of Object.entries(inputs)) {
    const values = given[name];
    if (!values || (t.dtype !== "u32" && t.dtype !== "i32")) continue;
    memory.write(t, t.dtype === "u32" ? Uint32Array.from(values) : Int32Array.from(values));
  }
}

/** @param onRow gets each row as it is done */
export async function measureOps(
  bench: Bench,
  onRow: (row: KernelRow) => void,
): Promise<KernelRow[]> {
  const { memory, settings, device } = bench;
  const caps = capabilities(device);
  const book = new RowBook();
  const rows: KernelRow[] = [];
  for (const reference of references) {
    const c = largeCase(reference);
    const { graph, inputs } = new OpGraph(outlineOf(reference, c), caps, settings.variants);
    // An op is recorded twice, as it is tested: the sum of its two gradients is no part of it.
    const own = new Set([reference.op.name, `${reference.op.name}.backward`, "graph"]);
    const dispatches = graph.dispatches.filter(({ label }) => own.has(opOf(label)));
    const wanted = bench.select(book.add({ name: reference.op.name, dispatches, hasRun: false }));
    if (wanted.length === 0) continue;
    uploadIntegers(memory, c, reference, inputs);
    for (const row of wanted) {
      rows.push(await measureRow(bench, row));
      onRow(rows.at(-1)!);
    }
    for (const t of Object.values(inputs)) memory.release(t);
  }
  return rows;
}
