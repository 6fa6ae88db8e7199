/** An op: kernels put together, with a rule for shapes and one for gradients. */
import type { Graph } from "./graph";
import type { Tensor } from "./tensor";
import type { Variant } from "./variant";

export type Tensors = Readonly<Record<string, Tensor>>;

/** One application of an op, as the tape keeps it. */
export interface Call<A> {
  readonly inputs: Tensors;
  readonly outputs: Tensors;
  readonly attrs: A;
  /** Inputs whose gradient is wanted. */
  readonly needs: ReadonlySet<string>;
}

export interface Op<A = Record<string, never>> {
  readonly name: string;
  /** Inputs that the op changes in place (optimiser state, accumulators). */
  readonly mutates?: readonly string[];
  /**
   * Inputs (`x`) and gradients of outputs (`dy` for `y`) that may come unwritten (Tensor.deferred);
   * all others are written before the op sees them.
   */
  readonly defers?: readonly string[];
  /** What the op lets `g.pick` choose from, by the name given there: tests run each of them. */
  readonly variants?: Readonly<Record<string, readonly Variant[]>>;
  /**
   * Checks shapes, makes the output tensors and emits the kernels. Outputs that only the backward
   * rule reads (statistics, argmax) are outputs like any other.
   * @throws Error naming the op, the shapes found and the shapes expected
   */
  readonly forward: (g: Graph, inputs: Tensors, attrs: A) => Tensors;
  /**
   * Emits the gradient kernels. `grads` holds the gradient of each output that has one; the result
   * holds a gradient for every input in `call.needs`. Gradients of parameters go where
   * `g.into(input)` says.
   */
  readonly backward?: (g: Graph, call: Call<A>, grads: Tensors) => Tensors;
}

export function defineOp<A = Record<string, never>>(op: Op<A>): Op<A> {
  return op;
}
