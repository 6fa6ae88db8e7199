/** The distinct dispatches of recorded programs, each with a name of its own. Pure. */

import { type Cost, costOf } from "../src/core/cost";
import type { Dispatch } from "../src/core/graph";
import { channelLayout, elements, type Shape, storageOf, type Tensor } from "../src/core/tensor";
import type { Recording } from "./record";

export interface DispatchRow {
  readonly id: string;
  readonly dispatch: Dispatch;
  readonly cost: Cost;
  /** Launches by name of the recording. */
  readonly launches: Record<string, number>;
  /** Its recording had run, so the driver had compiled it. */
  readonly hasRun: boolean;
}

/** Equal for dispatches that differ only in buffers and in arguments that change no work: offsets. */
export function keyOf(dispatch: Dispatch): string {
  const { label, kernel, consts, sizes, tensors } = dispatch;
  const storages = tensors.map((t) => storageOf(t).id);
  const bound = tensors.map((t, i) => {
    const { CT, C0 } = channelLayout(t);
    return [t.shape, t.dtype, CT, C0, storages.indexOf(storages[i]!)];
  });
  const work = [kernel.grid(sizes), costOf(dispatch)];
  return JSON.stringify([label, Bun.hash(kernel.source).toString(36), consts, bound, work]);
}

/** `4×16×32³`: the last three sizes as a cube where they are one. */
export function compactShape(shape: Shape): string {
  const [x, y, z] = shape.slice(-3);
  if (shape.length < 3 || x !== y || y !== z) return shape.join("×");
  return [...shape.slice(0, -3), `${x}³`].join("×");
}

function largest(tensors: readonly Tensor[]): string {
  if (tensors.length === 0) return "";
  const most = tensors.reduce((a, b) => (elements(b.shape) > elements(a.shape) ? b : a));
  return compactShape(most.shape);
}

/** `op/kernel`, its largest input and its largest output. */
function nameOf({ label, kernel, tensors }: Dispatch): string {
  const access = Object.values(kernel.bindings);
  const read = largest(tensors.filter((_, i) => access[i] === "read"));
  const written = largest(tensors.filter((_, i) => access[i] !== "read"));
  return [label, [read, written].filter((s) => s !== "").join(" → ")].join(" ");
}

/** The difference from other dispatches of the same name, consts or else args: `ACCUMULATE=true`. */
function distinguishing({ consts, sizes }: Dispatch, others: readonly Dispatch[]): string {
  const differing = (names: readonly string[]) =>
    names.filter((name) => others.some((other) => other.sizes[name] !== sizes[name]));
  const found = differing(Object.keys(consts));
  const shown = found.length > 0 ? found : differing(Object.keys(sizes));
  return shown.map((name) => `${name}=${sizes[name]}`).join(" ");
}

/** The rows of one recording after another; a dispatch that an earlier one had adds no row. */
export class RowBook {
  private readonly rows = new Map<string, DispatchRow>();
  private readonly ids = new Set<string>();

  /** The rows that this recording is the first to have, in order. */
  add({ name, dispatches, hasRun }: Recording): DispatchRow[] {
    const added: { row: Omit<DispatchRow, "id">; key: string }[] = [];
    const known = new Map<string, Omit<DispatchRow, "id">>(this.rows);
    for (const dispatch of dispatches) {
      const key = keyOf(dispatch);
      const found = known.get(key);
      const row = found ?? { dispatch, cost: costOf(dispatch), launches: {}, hasRun };
      row.launches[name] = (row.launches[name] ?? 0) + 1;
      if (found) continue;
      known.set(key, row);
      added.push({ row, key });
    }
    const byName = Map.groupBy(known.values(), ({ dispatch }) => nameOf(dispatch));
    return added.map(({ row, key }) => {
      const base = nameOf(row.dispatch);
      const others = byName.get(base)!.map(({ dispatch }) => dispatch);
      const wanted = [base, distinguishing(row.dispatch, others)].join(" ").trim();
      const named = Object.assign(row, { id: unique(wanted, this.ids) });
      this.rows.set(key, named);
      return named;
    });
  }
}

/** The same consts on other views or smaller inputs: numbered. */
function unique(name: string, used: Set<string>): string {
  let id = name;
  for (let i = 2; used.has(id); i++) id = `${name} #${i}`;
  used.add(id);
  return id;
}
