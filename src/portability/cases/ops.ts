/**
 * The cases of the registry: every op, forward and backward, in every variant, in float32 and where it
 * can in f16, on the cases that its float64 reference declares, on sizes around the edges of tiles, on
 * magnitudes, and over and over again. A new op is among them as soon as it has a reference.
 */
import type { Graph } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";
import type { Op } from "../../core/op";
import type { Variant } from "../../core/variant";
import type { Case, Reference } from "../../reference/reference";
import type { CaseList, Outcome, PortabilityCase, SkippedRow, Way } from "../case";
import { hasTwoRows, inTwoRows } from "../grid_rows";
import { judge } from "../op_checks";
import { OpGraph, type Rig, type Trial, type TrialOptions, trialOf } from "../op_run";
import { casesBySize, outlineOf, sizeOf } from "../outline";
import { shuffle } from "../shuffled_grid";
import { whyNot } from "../support";
import { asOnGpu, isOtherWork } from "./as_on_gpu";
import { denormalOutcome } from "./denormals";
import { edgeCases, mixedCases } from "./sizes";

/** The part of an op that a case looks at: y alone, one gradient, or all of them together. */
interface Target {
  readonly row: string;
  /** The gradients asked for; undefined: all. */
  readonly wanted?: readonly string[];
  /** Variants by the name given to `Graph.pick`. */
  readonly variants: Readonly<Record<string, string>>;
  /** One of them runs with activations stored as f16 alone. */
  readonly onlyHalf: boolean;
  /** One of them has kernels of its own for two gradients at once. */
  readonly both: boolean;
}

/** Large and tiny magnitudes whose squares are still far from the ends of float32. */
const MAGNITUDES = { large: 2 ** 40, tiny: 2 ** -40 } as const;
/** Numbers of the order of 1 become denormal. */
const DENORMAL = 2 ** -130;
/** On a GPU; a software driver runs the workgroups of a dispatch in nearly the same order each time. */
const REPEATS = 50;
const REPEATS_IN_SOFTWARE = 10;
/** Seconds more for all of them: a minute with a kernel for GPUs on SwiftShader. */
const REPEATS_PATIENCE = 600;
const BACKWARD = ".backward";
/** Its rows stand for the kernels beside a variant; those of tiles are shuffled in cases/fused.ts. */
const PLAINEST = "/naive";
/** Elements of inputs that take seconds in float64. */
const SMALL = 2 ** 20;
/** Seconds more for more than 65,535 workgroups. */
const CROWDED_PATIENCE = 300;

/** Every case of the references on an adapter. */
export function opCases(
  references: readonly Reference<unknown>[],
  caps: Capabilities,
  seed: number,
): CaseList {
  const cases: PortabilityCase[] = [];
  const skipped: SkippedRow[] = [];
  for (const reference of references) {
    for (const half of [false, true]) {
      if (half && !reference.f16) continue;
      const { targets, skips } = targetsOf(reference, caps, half);
      skipped.push(...skips);
      for (const target of targets) cases.push(...rowCases(reference, target, half, seed));
    }
  }
  return { cases, skipped };
}

const gradientOf = (op: Op<unknown>, pick: string) =>
  pick.startsWith(`${op.name}_d`) ? pick.slice(op.name.length + 2) : undefined;

function targetsOf(reference: Reference<unknown>, caps: Capabilities, half: boolean) {
  const { op } = reference;
  const type = half ? ".f16" : "";
  const targets: Target[] = [];
  const skips: SkippedRow[] = [];
  /** Of one variant of some picks, each by the name of the row. */
  const add = (
    row: string,
    named: Readonly<Record<string, Variant>>,
    wanted?: readonly string[],
  ) => {
    const all = Object.entries(named);
    const lacking = all.flatMap(([, variant]) => unless(variant, caps) ?? [])[0];
    const reason = half && !caps.shaderF16 ? NO_F16 : lacking;
    if (reason) skips.push({ row, reason });
    else {
      const variants = Object.fromEntries(all.map(([pick, { name }]) => [pick, name]));
      const onlyHalf = all.some(([, { f16 }]) => f16 === "only");
      const both = all.some(([, variant]) => variant.both !== undefined);
      targets.push({ row, wanted, variants, onlyHalf, both });
    }
  };
  const variantsOf = (pick: string) => (op.variants?.[pick] ?? []).filter((v) => takes(v, half));
  const gradients = Object.keys(op.variants ?? {}).filter((pick) => gradientOf(op, pick));
  if (op.variants?.[op.name]) {
    for (const v of variantsOf(op.name)) add(`${op.name}${type}/${v.name}`, { [op.name]: v }, []);
  } else add(`${op.name}${type}`, {}, []);
  if (!reference.backward) return { targets, skips };
  for (const pick of gradients) {
    for (const v of variantsOf(pick)) {
      add(`${pick}${type}/${v.name}`, { [pick]: v }, [gradientOf(op, pick)!]);
    }
  }
  // All gradients at once, by every variant that one of them has: some share work between them.
  const backward = `${op.name}${BACKWARD}${type}`;
  const names = new Set(gradients.flatMap(variantsOf).map(({ name }) => name));
  for (const name of names) {
    const having = gradients.flatMap((pick) => {
      const variant = variantsOf(pick).find((v) => v.name === name);
      return variant ? [[pick, variant] as const] : [];
    });
    add(`${backward}/${name}`, Object.fromEntries(having));
  }
  if (names.size === 0) add(backward, {});
  return { targets, skips };
}

const NO_F16 = "needs shader-f16, the adapter has not";
const takes = (v: Variant, half: boolean) => (half ? Boolean(v.f16) : v.f16 !== "only");
const unless = (v: Variant, caps: Capabilities) =>
  v.supported(caps) ? undefined : whyNot(v, caps);

const trials = new Map<string, Trial>();

/** The same inputs and expectations for every variant; the last few hundred are kept. */
function trial(reference: Reference<unknown>, c: Case<unknown>, options: TrialOptions): Trial {
  const key = JSON.stringify([reference.op.name, c.id, options]);
  const made = trials.get(key) ?? trialOf(reference, c, options);
  trials.delete(key);
  trials.set(key, made);
  for (const old of trials.keys()) {
    if (trials.size <= 200) break;
    trials.delete(old);
  }
  return made;
}

/** The recording of a case, without values; undefined where the wanted variants cannot do it. */
function outline(
  reference: Reference<unknown>,
  c: Case<unknown>,
  { wanted, variants }: Target,
  half: boolean,
  caps: Capabilities,
): Graph | undefined {
  const { graph } = new OpGraph(outlineOf(reference, c, half, wanted), caps, variants);
  const taken = Object.entries(variants).map(([pick, name]) => {
    const made = graph.picks.filter(({ op }) => op === pick);
    return made.length > 0 && made.every(({ chosen }) => chosen === name);
  });
  return taken.every(Boolean) ? graph : undefined;
}

/** A case in its row. */
interface Placed {
  readonly reference: Reference<unknown>;
  readonly target: Target;
  readonly half: boolean;
  readonly seed: number;
}

/** The recording in another way; undefined where that is the same work, or cannot be done. */
function outlineIn(
  way: Way | undefined,
  { reference, target, half }: Placed,
  c: Case<unknown>,
  caps: Capabilities,
): Graph | undefined {
  const own = outline(reference, c, target, half, caps);
  if (!own) return undefined;
  if (way === "two_rows") return inTwoRows(own);
  if (way === "many_groups") return hasTwoRows(own) ? own : undefined;
  if (way === undefined) return own;
  if (way === "as_on_gpu" && caps.kind === "hardware") return undefined;
  const { caps: gpu, variants } = asOnGpu(own);
  const split = outline(reference, c, { ...target, variants }, half, gpu);
  if (way === "shuffled") return split && shuffle(split);
  return split && isOtherWork(split, own) ? split : undefined;
}

/**
 * Inputs that are rounded to f16 on the way: by the row's own variant, or by the one that the adapter
 * takes for what runs beside it (the forward pass of a row that looks at a gradient).
 */
function roundedBy(op: Op<unknown>, graph: Graph | undefined): readonly string[] {
  const taken = (graph?.picks ?? []).map(({ op: pick, chosen }) =>
    op.variants?.[pick]?.find(({ name }) => name === chosen),
  );
  return [...new Set(taken.flatMap((variant) => variant?.rounds ?? []))];
}

interface Kind {
  readonly c: Case<unknown>;
  readonly name?: string;
  readonly options?: TrialOptions;
  readonly judge?: (rig: Rig, recorded: OpGraph) => Promise<Outcome>;
  readonly short?: boolean;
  readonly way?: Way;
  readonly patience?: number;
}

async function once(rig: Rig, recorded: OpGraph): Promise<Outcome> {
  return judge(recorded, await recorded.run(rig));
}

/** The same bits, whatever else the adapter does. */
async function repeated(rig: Rig, recorded: OpGraph): Promise<Outcome> {
  const times = rig.caps.kind === "hardware" ? REPEATS : REPEATS_IN_SOFTWARE;
  const [first, ...others] = await recorded.runs(rig, times);
  const verdict = judge(recorded, first!);
  const differing = others.filter((other) => !first!.sameAs(other)).length;
  const fault = `${differing} of ${times} runs gave other bits than the first`;
  return { ...verdict, faults: differing > 0 ? [...verdict.faults, fault] : verdict.faults };
}

/** Every case of one row; whether a variant can do it shows when it is recorded. */
function rowCases(
  reference: Reference<unknown>,
  target: Target,
  half: boolean,
  seed: number,
): PortabilityCase[] {
  const placed = { reference, target, half, seed };
  return kindsOf(placed).map((kind) => caseOf(placed, kind));
}

/** SwiftShader takes three minutes for 65,537 workgroups with barriers. */
const patienceOf = (way: Way) => (way === "many_groups" ? { patience: CROWDED_PATIENCE } : {});

function kindsOf({ reference, target, half, seed }: Placed): Kind[] {
  const { row } = target;
  const { scalable, crowded = [], crowdedSlowly = false } = reference;
  const declared = reference.cases.map((c): Kind => ({ c, short: true }));
  const ids = new Set(reference.cases.map((c) => c.id));
  const made = [...mixedCases(reference, seed), ...edgeCases(reference)];
  const sized = [...new Map(made.map((c) => [c.id, c])).values()].filter((c) => !ids.has(c.id));
  const plain = reference.cases.filter((c) => !c.views && c.smooth !== false);
  // Two, for a variant may not be able to do the first.
  const [middle, last] = [plain[Math.floor(plain.length / 2)]!, plain.at(-1)!];
  // Squares of large magnitudes pass the range of f16.
  const scaled = scalable && !half ? new Set([middle, last]) : new Set<Case<unknown>>();
  const bySize = casesBySize(reference);
  const repeats = new Set([bySize.at(-1)!, last]);
  const isSmall = (c: Case<unknown>) => sizeOf(c) < SMALL && !crowdedSlowly;
  const [few, many] = [crowded.filter(isSmall), crowded.filter((c) => !isSmall(c))];
  const inWay = (way: Way, cases: readonly Case<unknown>[], short = true) =>
    cases.map((c): Kind => ({ c, name: `${c.id}_${way}`, way, short, ...patienceOf(way) }));
  const isVariant = Object.keys(target.variants).length > 0;
  const isTogether = isVariant && target.wanted === undefined;
  const isPlainest = row.endsWith(PLAINEST);
  // Most have the kernels of the gradients' own rows, and beside them those of a bias, alike in each row.
  const isNew = !isTogether || isPlainest || target.both;
  const ifNew = (cases: readonly Case<unknown>[]) => (isNew ? cases : []);
  return [
    ...declared,
    ...sized.map((c, i) => ({ c, short: i === 0 })),
    ...[...scaled].flatMap((c) =>
      Object.entries(MAGNITUDES).map(([word, scale]) => ({
        ...{ c, name: `${c.id}_${word}`, options: { scale } },
      })),
    ),
    ...[...(target.wanted?.length === 0 ? scaled : [])].map((c) => ({
      ...{ c, name: `${c.id}_denormal`, options: { scale: DENORMAL } },
      judge: async (rig: Rig, graph: OpGraph) => denormalOutcome(graph, await graph.run(rig)),
    })),
    ...ifNew([...repeats]).map((c) => ({
      ...{ c, name: `${c.id}_repeated`, judge: repeated, patience: REPEATS_PATIENCE },
    })),
    ...inWay("as_on_gpu", bySize, !(half && isVariant)),
    ...inWay("two_rows", ifNew(bySize), (!half || target.onlyHalf) && !isTogether),
    ...inWay("shuffled", ifNew(bySize), !half && (!isVariant || isPlainest)),
    ...inWay("many_groups", half || (isVariant && !isTogether) ? [] : few),
    ...inWay("many_groups", half || isVariant ? [] : many, false),
  ];
}

const isAlways = ({ always }: Case<unknown>, { wanted }: Target): boolean =>
  always === true || (wanted?.length === 1 && wanted[0] === always);

function caseOf(placed: Placed, kind: Kind): PortabilityCase {
  const { reference, target, half, seed } = placed;
  const { c, name = c.id, options, judge = once, short = false, way, patience } = kind;
  const { row, variants, wanted } = target;
  const outlined = (caps: Capabilities) => outlineIn(way, placed, c, caps);
  const record = ({ caps }: Rig) => {
    const graph = outlined(caps);
    const rounded = roundedBy(reference.op, graph);
    const made = trial(reference, c, { half, seed, rounded, ...options });
    const own = { caps, variants };
    const how = (way === "as_on_gpu" || way === "shuffled") && graph ? asOnGpu(graph) : own;
    const recorded = new OpGraph(made, how.caps, how.variants, wanted);
    if (way === "two_rows") inTwoRows(recorded.graph);
    if (way === "shuffled") shuffle(recorded.graph);
    return recorded;
  };
  const always = isAlways(c, target);
  return {
    ...{ row, name, seed, short, always, way, patience, record, outline: outlined },
    problem: `${reference.op.name} ${c.id}`,
    run: (rig) => judge(rig, record(rig)),
  };
}
