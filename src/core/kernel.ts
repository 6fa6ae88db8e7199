/** A kernel: a WGSL file with its bindings, its constants and its grid. */

/** Values for module-scope `const` lines of a shader; booleans and numbers by the line's type. */
export type Consts = Readonly<Record<string, number | boolean>>;

export type Access = "read" | "read_write";
export type Grid = readonly [x: number, y: number, z: number];

export interface Kernel {
  /** The shader's file name without `.wgsl`; also the label in profiles and errors. */
  readonly name: string;
  readonly source: string;
  /** Storage buffers in order of their `@binding` number, all in group 0. At most 8. */
  readonly bindings: Readonly<Record<string, Access>>;
  /** u32 fields of an optional uniform at the binding after the last storage buffer. */
  readonly args?: readonly string[];
  /** Bindings that accept a channel view (the shader reads CT and C0 style consts). */
  readonly views?: readonly string[];
  /**
   * Bindings that may be stored as f16, by the alias of their elements in the shader, such as
   * `alias V = vec4f;`; under `f16` those that always are.
   */
  readonly storage?: Readonly<Record<string, readonly string[]>>;
  /** Needs the `subgroups` feature. */
  readonly subgroups?: boolean;
  /** Workgroups, from consts and args. */
  readonly grid: (sizes: Consts) => Grid;
  /**
   * Floating-point operations of one launch, for benchmarks; of a convolution those of the direct
   * one, whatever the algorithm. Absent: it only moves data.
   */
  readonly flops?: (sizes: Consts) => number;
  /** Bytes that one launch moves, where that is not every bound tensor once. */
  readonly bytes?: (sizes: Consts) => number;
}

const MAX_STORAGE_BUFFERS = 8;

export function defineKernel(kernel: Kernel): Kernel {
  const count = Object.keys(kernel.bindings).length;
  if (count > MAX_STORAGE_BUFFERS) {
    throw new Error(`${kernel.name}: ${count} storage buffers, at most 8 work on every adapter`);
  }
  return kernel;
}

const HALF_TYPES: Readonly<Record<string, string>> = { f32: "f16", vec2f: "vec2h", vec4f: "vec4h" };

/** The kernel for bindings of which `halves` are stored as f16: its aliases say so. */
export function storedAs(kernel: Kernel, halves: ReadonlySet<string>): Kernel {
  if (halves.size === 0) return kernel;
  let { source } = kernel;
  const left = new Set(halves);
  for (const [alias, names] of Object.entries(kernel.storage ?? {})) {
    const stored = names.filter((name) => left.delete(name));
    if (stored.length === 0 || alias === "f16") continue;
    if (stored.length < names.length) {
      throw new Error(`${kernel.name}: ${names.join(" and ")} must be stored as one type`);
    }
    const line = new RegExp(`^alias ${alias} = (f32|vec2f|vec4f);`, "m");
    if (!line.test(source)) throw new Error(`${kernel.name}.wgsl has no line alias ${alias} = …;`);
    source = source.replace(line, (_, type: string) => `alias ${alias} = ${HALF_TYPES[type]};`);
  }
  if (left.size > 0) {
    throw new Error(
      `${kernel.name}: ${[...left].join(", ")} cannot be f16; name them in the kernel's storage, by ` +
        "the alias of their elements in the shader",
    );
  }
  return { ...kernel, source: `enable f16;\n${source}` };
}

/** Most workgroups along one dimension on every adapter. */
const MAX_GROUPS = 65535;

export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/**
 * Workgroups for `items` in groups of `perGroup`, folded into y where x would pass the limit.
 * The shader finds its group as `wid.y * nwg.x + wid.x` and guards the end.
 */
export function grid1d(items: number, perGroup: number): Grid {
  const groups = Math.max(1, Math.ceil(items / perGroup));
  if (groups <= MAX_GROUPS) return [groups, 1, 1];
  const rows = Math.ceil(groups / MAX_GROUPS);
  return [Math.ceil(groups / rows), rows, 1];
}

/** A const as a number, with a message that names it when it is missing. */
export function num(consts: Consts, name: string): number {
  const value = consts[name];
  if (typeof value !== "number") throw new Error(`const ${name}: got ${value}, expected a number`);
  return value;
}

/** The product of consts, for counts of elements. */
export function product(consts: Consts, ...names: readonly string[]): number {
  return names.reduce((all, name) => all * num(consts, name), 1);
}

/** A product of matrices that subgroups compute: (M, K) · (K, N), and the types of components. */
export interface SubgroupMatrix {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Of the factors: f16, f32 or integers. */
  readonly component: string;
  readonly result: string;
}

/** The capabilities of an adapter that the choice of a kernel variant needs. */
export interface Capabilities {
  /** "lavapipe", "swiftshader" or "hardware": the families with defaults of their own. */
  readonly kind: "lavapipe" | "swiftshader" | "hardware";
  /** Vendor and architecture as WebGPU tells them, `amd gcn-5`: some have defaults of their own. */
  readonly architecture?: string;
  /** The one subgroup size of the adapter; null where it has none or it may vary. */
  readonly subgroupSize: number | null;
  readonly shaderF16: boolean;
  /** Empty where the adapter has none. */
  readonly subgroupMatrices: readonly SubgroupMatrix[];
  readonly maxBindingBytes: number;
  readonly maxInvocations: number;
  readonly maxWorkgroupBytes: number;
}
