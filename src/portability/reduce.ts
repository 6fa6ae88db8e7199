/** Reduces a case that was taken apart to the dispatch that shows its failure. */
import type { Mutant } from "./mutants/defect";
import { GUARD_WORDS } from "./op_run";
import {
  bytesOf,
  type Dissection,
  type Expectation,
  fromBase64,
  type Packed,
  toBase64,
} from "./packed";
import { type Column, WorkerLost } from "./runner";

/** Dispatches with what they should give. */
export interface Reduced {
  readonly packed: Packed;
  readonly expected: readonly Expectation[];
  /** Where the expectation comes from. */
  readonly truth: string;
  /** Kernels, in order. */
  readonly kernel: string;
}

export interface Finding extends Reduced {
  /** One line: what was found. */
  readonly summary: string;
  /** Wrong elements, one a line. */
  readonly examples?: readonly string[];
  /** A column that runs the whole case right. */
  readonly rightOn?: string;
  /** Runs that came out wrong, of how many. */
  readonly wrongRuns?: readonly [wrong: number, of: number];
}

/** What a column makes of dispatches that it gets wrong. */
export interface Fault {
  readonly text: string;
  readonly examples: readonly string[];
  /** The worker did not answer in time. */
  readonly hung: boolean;
}

const RUN = "what a run of all dispatches gave";
const FLOAT64 = "a float64 reference, with bounds that follow from the operations";
/** The tolerance where another driver's words are the truth, in parts of a buffer's largest value. */
const SHARE = 2 ** -16;

/** The case with a defect in its shaders, if there is one. */
export function mutated(dissection: Dissection, mutant: Mutant | undefined): Dissection {
  if (!mutant) return dissection;
  const dispatches = dissection.packed.dispatches.map((d) =>
    d.kernel === mutant.kernel ? { ...d, wgsl: d.wgsl.replace(mutant.from, () => mutant.to) } : d,
  );
  return { ...dissection, packed: { ...dissection.packed, dispatches } };
}

/**
 * All dispatches. Where float64 knows some elements alone, the words of this run stand for the others, and
 * what the guards held before it.
 */
export function chain({ packed, states, expected }: Dissection): Reduced {
  const kernel = [...new Set(packed.dispatches.map((d) => d.kernel))].join(", ");
  const partial = new Set(expected.filter((e) => e.partial).map(({ buffer }) => buffer));
  const [before, after] = [states[0]!, states.at(-1)!];
  const guarded = after.map((data, b) => withGuards(data, before[b]!));
  const words = [...partial].map((b) => wordsOf(packed, b, guarded));
  const truth = partial.size > 0 ? `${FLOAT64}; between its samples ${RUN}` : FLOAT64;
  return { packed, expected: [...expected, ...words], truth, kernel };
}

/** One dispatch, on the words that a right run has before it. */
export function single(
  { packed, states, expected }: Dissection,
  i: number,
  judge: string,
): Reduced {
  const dispatch = packed.dispatches[i]!;
  const used = [...new Set(dispatch.buffers)];
  const placeOf = new Map(used.map((buffer, k) => [buffer, k]));
  const before = used.map((b) => ({ ...packed.buffers[b]!, data: states[i]![b]! }));
  const written = used.filter((buffer) => states[i]![buffer] !== states[i + 1]![buffer]);
  const later = packed.dispatches
    .slice(i + 1)
    .flatMap((d) => d.buffers.filter((_, k) => d.access[k] !== "read"));
  // What is final, and a whole output of the case, is known in float64.
  const exact = expected.filter(
    ({ buffer }) => written.includes(buffer) && !later.includes(buffer),
  );
  const isKnown =
    written.length > 0 &&
    written.every((b) => exact.some(({ buffer, partial }) => buffer === b && !partial));
  const wanted = isKnown
    ? exact
    : [
        ...exact.filter((e) => e.partial),
        ...written.map((b) => wordsOf(packed, b, states[i + 1]!)),
      ];
  return {
    packed: {
      features: packed.features,
      buffers: before,
      dispatches: [{ ...dispatch, buffers: dispatch.buffers.map((b) => placeOf.get(b)!) }],
    },
    expected: wanted.map((e) => ({ ...e, buffer: placeOf.get(e.buffer)! })),
    truth: isKnown ? FLOAT64 : `what ${judge} gives, which runs the whole case right`,
    kernel: dispatch.kernel,
  };
}

const GUARD_BYTES = 4 * GUARD_WORDS;
const ARRAYS = { f32: Float32Array, u32: Uint32Array, i32: Int32Array, f16: Float16Array } as const;

/** The words of a buffer with the guards of an earlier state. */
function withGuards(data: string, earlier: string): string {
  const bytes = fromBase64(data);
  bytes.set(fromBase64(earlier).subarray(-GUARD_BYTES), bytes.length - GUARD_BYTES);
  return toBase64(bytes);
}

/** The words of another driver as an expectation, guard words included; integers are exact. */
function wordsOf({ buffers }: Packed, buffer: number, state: readonly string[]): Expectation {
  const { name, type } = buffers[buffer]!;
  const values = Float64Array.from(new ARRAYS[type](fromBase64(state[buffer]!).buffer));
  const exact = type === "u32" || type === "i32";
  const finite = values.filter(Number.isFinite).map(Math.abs);
  const largest = finite.reduce((most, v) => Math.max(most, v), 0);
  const bounds = new Float64Array(values.length).fill(exact ? 0 : SHARE * largest);
  const positions = Uint32Array.from(values.keys());
  const code = (array: ArrayBufferView) => toBase64(bytesOf(array));
  return {
    ...{ name, buffer, type, shape: [values.length] },
    ...{ positions: code(positions), values: code(values), bounds: code(bounds) },
  };
}

/** The fault on a column; undefined where it is right. */
export async function faultOn(
  column: Column,
  { packed, expected }: Reduced,
): Promise<Fault | undefined> {
  const fault = (text: string, examples: readonly string[] = [], hung = false): Fault => ({
    ...{ text, examples, hung },
  });
  try {
    const reply = await column.ask({ do: "replay", packed });
    if (!("words" in reply)) return fault("gives no answer");
    const compared = expected.map((e) => ({ e, ...compareWords(e, reply.words[e.buffer]!) }));
    const wrong = compared.filter(({ count }) => count > 0);
    if (wrong.length === 0) return undefined;
    const text = wrong
      .map(({ e, count, of }) => `gives ${e.name} with ${count} of ${of} elements wrong`)
      .join("; ");
    return fault(
      text,
      wrong.flatMap(({ examples }) => examples),
    );
  } catch (error) {
    const said = (error as Error).message.split("\n")[0];
    if (!(error instanceof WorkerLost)) return fault(`is refused: ${said}`);
    return fault(`${error.status}: ${said}`, [], error.status === "hung");
  }
}

/** Wrong elements of a buffer that are told. */
const EXAMPLES = 5;

function compareWords({ name, type, positions, values, bounds }: Expectation, data: string) {
  const got = new ARRAYS[type](fromBase64(data).buffer);
  const at = new Uint32Array(fromBase64(positions).buffer);
  const allowed = new Float64Array(fromBase64(bounds).buffer);
  const expected = new Float64Array(fromBase64(values).buffer);
  let count = 0;
  const examples: string[] = [];
  for (const [i, value] of expected.entries()) {
    const element = got[at[i]!]!;
    if (Object.is(element, value) || element === value) continue;
    if (Math.abs(element - value) <= allowed[i]!) continue;
    count++;
    if (count > EXAMPLES) continue;
    examples.push(
      `${name}[${i}] is ${element}, should be ${value} ± ${allowed[i]!.toExponential(1)}`,
    );
  }
  return { count, of: expected.length, examples };
}
