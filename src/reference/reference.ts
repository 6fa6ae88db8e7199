/**
 * The declaration of an op's float64 reference. test/ops.test.ts walks all of them: values, gradients,
 * guard words, every variant, every software adapter. `bun run bench ops` times them.
 */
import type { Op } from "../core/op";
import type { Philox } from "../core/random";
import { channelsOf, type DType, makeTensor, type Shape, type Tensor } from "../core/tensor";

export type Values = Record<string, Float64Array>;
export type Shapes = Readonly<Record<string, Shape>>;

export interface Case<A> {
  /** Addressable and stable: `c3x5_7x9x5`, say. */
  readonly id: string;
  readonly inputs: Shapes;
  readonly attrs: A;
  /**
   * Inputs (by name) and gradients of outputs (`dy` for `y`) that are channel views of a larger
   * tensor: where they start in it and how many channels it has. Views that name one `base` share it.
   */
  readonly views?: Readonly<Record<string, ChannelView>>;
  /** False where a kink lies too close for finite differences. */
  readonly smooth?: boolean;
  /**
   * Always in the short form of the portability suite, for it runs code that no other case does; the name
   * of an input: where its gradient is asked for alone.
   */
  readonly always?: boolean | string;
}

export interface ChannelView {
  readonly first: number;
  readonly total: number;
  readonly base?: string;
}

export interface Reference<A> {
  readonly op: Op<A>;
  /** Seeded cases, odd and non-multiple sizes among them. */
  readonly cases: readonly Case<A>[];
  /** Types of inputs and outputs that are not f32. */
  readonly types?: Readonly<Record<string, DType>>;
  /**
   * Inputs that may be stored as f16, whereupon outputs and gradients are, and the attributes that go
   * with it: the cases run so too where the adapter has f16.
   */
  readonly f16?: { readonly inputs: readonly string[]; readonly attrs?: (attrs: A) => A };
  /** Inputs; standard normal values when absent (for a single name or for all). */
  readonly data?: (c: Case<A>, rng: Philox) => Partial<Values>;
  /** Outputs by name; for ops that change inputs in place also the new values, by input name. */
  readonly forward: (inputs: Values, shapes: Shapes, attrs: A) => Values;
  /** Gradients of `Σ_outputs <dy, y>` by input name; checked by finite differences. */
  readonly backward?: (inputs: Values, shapes: Shapes, attrs: A, dys: Values) => Values;
  /** Inputs that are ranges of a flat buffer with a watched gradient, which the op adds up. */
  readonly parameters?: readonly string[];
  /** Differentiable outputs (default: ["y"]). */
  readonly differentiable?: readonly string[];
  /**
   * Error bound of an output or gradient, elementwise or one number:
   * |gpu − ref| ≤ c · 2⁻²⁴ · √K · Σ|terms|. Names of gradients are `dx` for input `x`;
   * only they get `dys`.
   * Exact (0) for integer outputs.
   */
  readonly bound: (
    name: string,
    inputs: Values,
    shapes: Shapes,
    attrs: A,
    dys?: Values,
  ) => Float64Array | number;
  /**
   * Inputs that may come in any magnitude, as long as no square overflows: `bound` follows them. What
   * else goes into a sum with them, as a bias, is scaled too.
   */
  readonly scalable?: readonly string[];
  readonly sized?: readonly Sized<A>[];
  /**
   * Small cases that some kernel does with more than 65,535 workgroups, so that its grid has a second
   * row (`grid1d`): for the portability suite.
   */
  readonly crowded?: readonly Case<A>[];
  /** Whether the crowded cases take minutes on SwiftShader (65,537 workgroups with barriers): whole form only. */
  readonly crowdedSlowly?: boolean;
}

/** By name; a size that is asked for and not there is a mistake of the reference. */
export type Sizes = Readonly<Record<string, number>>;

/** Cases of any size, for sizes around the edges of tiles (src/portability/cases/sizes.ts). */
export interface Sized<A> {
  /** Every size by name, as it is where another one is tried. */
  readonly base: Sizes;
  /** About the sizes of a network, for benchmarks: some millions of elements. */
  readonly large?: Sizes;
  /** Sizes at whose multiples the work of some kernel is cut: those and their neighbours are tried. */
  readonly edges: Readonly<Record<string, readonly number[]>>;
  /** Without an id it is named by all its sizes, `N1_C3_…`. */
  readonly make: (sizes: Sizes) => Omit<Case<A>, "id"> & { readonly id?: string };
}

/** `attrs` whose `out`, a view of a temporary, is stored as f16. */
export function halfOut<A extends { readonly out?: Tensor }>(attrs: A): A {
  const view = attrs.out?.channels;
  if (!attrs.out || !view) return attrs;
  const base = makeTensor(view.base.name, view.base.shape, "temp", "f16");
  return { ...attrs, out: channelsOf(base, view.first, attrs.out.shape[1]!) };
}

/** Checks a reference in its own attribute type, and forgets that type for lists of references. */
export function defineReference<A>(reference: Reference<A>): Reference<unknown> {
  return reference as unknown as Reference<unknown>;
}
