/** Records kernels symbolically, and the tape of ops for reverse-mode differentiation. */
import { UserError } from "./errors";
import { type Capabilities, type Consts, type Kernel, storedAs } from "./kernel";
import type { Call, Op, Tensors } from "./op";
import type { Deferred, DType, Shape, Tensor } from "./tensor";
import { deferredTensor, elements, makeTensor, showShape, storageOf } from "./tensor";
import type { Choices, Picked, Problem, Variant } from "./variant";

/** One kernel launch, fully described: everything but buffers. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly consts: Consts;
  /** In binding order. */
  readonly tensors: readonly Tensor[];
  readonly args: readonly number[];
  /** Consts and args by name: what a kernel's grid and cost are functions of. */
  readonly sizes: Consts;
  /** `op/kernel`, for errors and profiles. */
  readonly label: string;
  /** The variant that the op picked before, if any. */
  readonly variant?: string;
}

interface TapeEntry {
  readonly op: Op<unknown>;
  readonly call: Call<unknown>;
}

interface Target {
  readonly into: Tensor;
  written: boolean;
}

export interface GraphOptions {
  /** op name → variant name: overrides the choice (tests, benchmarks). */
  readonly variants?: Readonly<Record<string, string>>;
  /** What was found to be fastest (src/tune): goes before the order of preference. */
  readonly choices?: Choices;
  /** False writes every tensor where it is made: the path that tests compare with. */
  readonly fuse?: boolean;
}

export class Graph {
  readonly dispatches: Dispatch[] = [];
  /** Every choice of a variant, in order. */
  readonly picks: Picked[] = [];
  private readonly tape: TapeEntry[] = [];
  private readonly targets = new Map<number, Target>();
  private readonly tracked = new Set<number>();
  /** Deferred tensors that are in memory by now. */
  private readonly written = new Map<number, Tensor>();
  /** Storage → maps of tensors in it, see `cached`. */
  private readonly maps = new Map<number, Map<string, Tensor>>();
  private recording = true;
  private opName = "graph";
  private variant: string | undefined;

  constructor(
    readonly caps: Capabilities,
    readonly options: GraphOptions = {},
  ) {}

  /** A new temporary tensor. */
  tensor(name: string, shape: Shape, dtype: DType = "f32"): Tensor {
    return makeTensor(name, shape, "temp", dtype);
  }

  /**
   * The map `key` of `source` that `make` emits, or what an earlier call emitted, unless `source` has
   * been changed in place since: for packed weights, which many launches need.
   */
  cached(source: Tensor, key: string, make: () => Tensor): Tensor {
    const storage = storageOf(source).id;
    const maps = this.maps.get(storage) ?? new Map<string, Tensor>();
    this.maps.set(storage, maps);
    const name = `${source.id} ${key}`;
    const map = maps.get(name) ?? make();
    maps.set(name, map);
    return map;
  }

  /**
   * A tensor that its maker need not write: readers compute it from what it is made of, or have it
   * written with `materialise`. Without fusion it is written at once.
   */
  defer(name: string, shape: Shape, deferred: Deferred, dtype: DType = "f32"): Tensor {
    const t = deferredTensor(name, shape, deferred, dtype);
    return this.options.fuse === false ? this.materialise(t) : t;
  }

  /** Whether nothing needs to write `t` any more. */
  isWritten(t: Tensor): boolean {
    return !t.deferred || this.written.has(t.id);
  }

  /** `t` in memory: written now if it was deferred and nobody had it written before. */
  materialise(t: Tensor): Tensor {
    if (!t.deferred) return t;
    const before = this.written.get(t.id);
    if (before) return before;
    const into = this.takeOver(t);
    const { opName, variant } = this;
    t.deferred.write(this, into);
    this.opName = opName;
    this.variant = variant;
    return into;
  }

  /** Where the caller, who has a kernel for it, writes the deferred `t`, which nobody else will. */
  takeOver(t: Tensor): Tensor {
    const { deferred, ...plain } = t;
    const into = deferred?.out ? { ...deferred.out, id: t.id } : plain;
    this.written.set(t.id, into);
    return into;
  }

  /** Records one kernel launch. `tensors` are given by binding name, `args` by field name. */
  emit(kernel: Kernel, tensors: Tensors, consts: Consts, args: Record<string, number> = {}): void {
    const names = Object.keys(kernel.bindings);
    const bound = names.map((name) => {
      const t = tensors[name];
      if (!t) throw new Error(`${this.opName}/${kernel.name}: binding ${name} has no tensor`);
      if (t.deferred) {
        throw new Error(`${this.opName}/${kernel.name}: ${name} (${t.name}) is not written`);
      }
      if (t.channels && !kernel.views?.includes(name)) {
        throw new Error(
          `${this.opName}/${kernel.name}: binding ${name} cannot take a channel view`,
        );
      }
      return t;
    });
    const argValues = (kernel.args ?? []).map((name) => {
      const value = args[name];
      if (value === undefined)
        throw new Error(`${this.opName}/${kernel.name}: arg ${name} missing`);
      return value;
    });
    const label = `${this.opName}/${kernel.name}`;
    const { variant } = this;
    const sizes = { ...consts, ...args };
    const halves = names.filter((_, i) => bound[i]!.dtype === "f16");
    this.dispatches.push({
      kernel: storedAs(kernel, new Set(halves)),
      consts,
      tensors: bound,
      args: argValues,
      sizes,
      label,
      variant,
    });
  }

  /** Applies an op: emits its forward kernels and, where a gradient may flow, tapes the call. */
  apply<A>(op: Op<A>, given: Tensors, attrs: A): Tensors {
    const outer = this.opName;
    this.opName = op.name;
    this.variant = undefined;
    try {
      const inputs = this.readable(given, op.defers);
      const outputs = op.forward(this, inputs, attrs);
      for (const name of op.mutates ?? []) this.maps.delete(storageOf(inputs[name]!).id);
      const needs = new Set<string>();
      for (const [name, t] of Object.entries(inputs)) if (this.tracked.has(t.id)) needs.add(name);
      if (this.recording && op.backward && needs.size > 0) {
        for (const t of Object.values(outputs)) this.tracked.add(t.id);
        const call = { inputs, outputs, attrs, needs };
        this.tape.push({ op: op as Op<unknown>, call });
      }
      return outputs;
    } finally {
      this.opName = outer;
    }
  }

  /** Every tensor in memory but those that the op reads deferred. */
  private readable(tensors: Tensors, defers: readonly string[] = []): Tensors {
    const entries = Object.entries(tensors);
    return Object.fromEntries(
      entries.map(([name, t]) => [name, defers.includes(name) ? t : this.materialise(t)]),
    );
  }

  /** Runs `body` without taping. */
  noGrad<T>(body: () => T): T {
    const before = this.recording;
    this.recording = false;
    try {
      return body();
    } finally {
      this.recording = before;
    }
  }

  /**
   * What `body` makes of `x`, without keeping what it writes on the way: the backward pass records
   * `body` again (Chen et al. 2016, "Training deep nets with sublinear memory cost"). Parameters
   * that `body` uses must be watched.
   */
  recompute(x: Tensor, body: (x: Tensor) => Tensor, add: Op): Tensor {
    if (!this.recording) return body(x);
    const y = this.noGrad(() => body(x));
    const needs = new Set(this.tracked.has(x.id) ? ["x"] : []);
    const op: Op<unknown> = {
      name: "recompute",
      forward: () => ({ y }),
      backward: (_g, _call, { y: dy }) => {
        this.recording = true;
        const again = body(x);
        const grads = this.backward(new Map([[again, dy!]]), add);
        this.recording = false;
        const results: Tensors = needs.size > 0 ? { x: grads.get(x.id)! } : {};
        return results;
      },
    };
    this.tracked.add(y.id);
    this.tape.push({ op, call: { inputs: { x }, outputs: { y }, attrs: {}, needs } });
    return y;
  }

  /** Marks `leaf` as differentiable; its gradient is written to `into`, later ones are added. */
  watch(leaf: Tensor, into: Tensor): void {
    if (elements(leaf.shape) !== elements(into.shape)) {
      throw new Error(
        `watch: ${leaf.name} ${showShape(leaf.shape)}, gradient ${showShape(into.shape)}`,
      );
    }
    this.tracked.add(leaf.id);
    if (!this.targets.has(leaf.id)) this.targets.set(leaf.id, { into, written: false });
  }

  /**
   * Where a backward rule writes the gradient of input `t`: the watched leaf's target (`accumulate`
   * once something has been written there), or a new temporary.
   */
  into(t: Tensor): { tensor: Tensor; accumulate: boolean } {
    const target = this.targets.get(t.id);
    if (!target) return { tensor: this.tensor(`d_${t.name}`, t.shape, t.dtype), accumulate: false };
    const accumulate = target.written;
    target.written = true;
    return { tensor: target.into, accumulate };
  }

  /**
   * Emits the gradients of everything taped since the last call, from the gradients of some
   * outputs (`seeds`: tensor → its gradient), and empties the tape.
   * @param add how two gradients of one tensor are summed (the `add` op of kernels/)
   * @returns the gradients of everything on the way, by tensor id
   */
  backward(seeds: ReadonlyMap<Tensor, Tensor>, add: Op): ReadonlyMap<number, Tensor> {
    const grads = new Map<number, Tensor>();
    for (const [t, grad] of seeds) grads.set(t.id, grad);
    const entries = this.tape.splice(0).reverse();
    this.noGrad(() => {
      for (const { op, call } of entries) this.backwardOf(op, call, grads, add);
    });
    return grads;
  }

  private backwardOf(
    op: Op<unknown>,
    call: Call<unknown>,
    grads: Map<number, Tensor>,
    add: Op,
  ): void {
    const dys: Record<string, Tensor> = {};
    for (const [name, t] of Object.entries(call.outputs)) {
      const grad = grads.get(t.id);
      if (grad) dys[name] = grad;
    }
    if (Object.keys(dys).length === 0) return;
    this.opName = `${op.name}.backward`;
    this.variant = undefined;
    const defers = (op.defers ?? []).filter((name) => name.startsWith("d"));
    const readable = this.readable(
      dys,
      defers.map((name) => name.slice(1)),
    );
    const dxs = op.backward!(this, call, readable);
    this.opName = "graph";
    for (const name of call.needs) {
      const x = call.inputs[name]!;
      const dx = dxs[name];
      if (!dx) throw new Error(`${op.name}: backward gave no gradient for ${name}`);
      const target = this.targets.get(x.id);
      if (target) {
        if (dx === target.into) continue;
        throw new Error(`${op.name}: the gradient of ${name} did not go where it is watched`);
      }
      const before = grads.get(x.id);
      grads.set(x.id, before ? this.apply(add, { a: before, b: dx }, {}).y! : dx);
    }
  }

  /**
   * The variant that runs: an override if it can do the problem, else what `choices` says if that
   * can, else the first that can.
   * @param dtype of the activations
   */
  pick<P extends Problem, V extends Variant<P>>(
    op: string,
    variants: readonly V[],
    problem: P,
    dtype: DType = "f32",
  ): V {
    const wanted = this.options.variants?.[op];
    const usable = variants.filter((v) => v.supported(this.caps));
    if (wanted && !usable.some((v) => v.name === wanted)) {
      const names = usable.map((v) => v.name).join(", ");
      throw new UserError(`${op}: no variant ${wanted} on this adapter; it has ${names}`);
    }
    const fitting = usable.filter(
      (v) => (dtype === "f16" ? v.f16 : v.f16 !== "only") && (v.fits?.(problem) ?? true),
    );
    const named = (name: string | undefined) => fitting.find((v) => v.name === name);
    const chosen = named(wanted) ?? named(this.options.choices?.(op, problem)) ?? fitting[0];
    if (!chosen) throw new Error(`${op}: no variant can do ${JSON.stringify(problem)} in ${dtype}`);
    const candidates = fitting.map((v) => v.name);
    const isSlow = ({ slowOn }: V) => slowOn?.includes(this.caps.kind) ?? false;
    const slow = fitting.filter(isSlow).map((v) => v.name);
    this.picks.push({ op, problem, candidates, slow, chosen: chosen.name });
    this.launching(chosen);
    return chosen;
  }

  /** Says whose launches follow, where several variants were picked before. */
  launching({ name }: { readonly name: string }): void {
    this.variant = name;
  }
}

/** Every storage a graph touches, in order of first use. */
export function storagesOf(dispatches: readonly Dispatch[]): Tensor[] {
  const seen = new Map<number, Tensor>();
  for (const d of dispatches) {
    for (const t of d.tensors) {
      const s = storageOf(t);
      seen.set(s.id, s);
    }
  }
  return [...seen.values()];
}
