/** The shaders that a GPU without subgroup matrices would be given, as text: recorded, never run. */
import { type Dispatch, Graph } from "../../src/core/graph";
import type { Access, Capabilities } from "../../src/core/kernel";
import type { Op } from "../../src/core/op";
import { type Precision, state } from "../../src/core/tensor";
import { specialise } from "../../src/gpu/shader";
import { OpGraph, variantRounds } from "../../src/portability/op_run";
import { outlineOf } from "../../src/portability/outline";
import { references } from "../../src/reference/index";
import type { Reference } from "../../src/reference/reference";
import { makeTrainConfig, type PresetName } from "../../src/settings/presets";
import { recordIteration } from "../../src/train/iteration";
import { makeTrainState, trainedParameters } from "../../src/train/state";
import { opOf } from "../cost";
import { largeCase } from "../ops";

/**
 * An AMD GPU as Dawn shows it through RADV, but for subgroup matrices: no software adapter has
 * them, so Dawn translates no shader that uses them here. No variant for GPUs asks how many lanes
 * a wave has.
 * @param architecture in Dawn's words, such as `rdna-3`
 */
export const amdGpu = (architecture: string): Capabilities => ({
  ...{ kind: "hardware", architecture: `amd ${architecture}`, subgroupSize: null },
  ...{ shaderF16: true, subgroupMatrices: [] },
  ...{ maxBindingBytes: 2 ** 31, maxInvocations: 1024, maxWorkgroupBytes: 65536 },
});

const PRESETS_FOR_GPUS: readonly PresetName[] = ["paper", "best"];

export type Binding = Access | "uniform";

/** One distinct shader. */
export interface Launch {
  /** Kernel, variant, what its activations are stored as, and its constants: the same in every run. */
  readonly id: string;
  readonly kernel: string;
  readonly variant?: string;
  /** What activations are stored as. */
  readonly precision: Precision;
  /** A GPU runs it without a choice of the tuner or the user. */
  readonly isDefault: boolean;
  readonly source: string;
  /** In order of their numbers. */
  readonly bindings: readonly Binding[];
}

/** What elements are stored or computed as: `V=vec4h` for `alias V = vec4h;`. */
const ALIAS = /^alias (\w+) = (\w+);/gm;

/** The variant that the launch is of: its op launches others too, of sums say, which have none. */
function variantOf({ label, kernel, variant }: Dispatch): string | undefined {
  const op = opOf(label).replace(/\..*$/, "");
  const stem = op.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return kernel.name.startsWith(stem) ? variant : undefined;
}

function launchOf(dispatch: Dispatch, isDefault: boolean): Launch {
  const { kernel, consts, tensors } = dispatch;
  const variant = variantOf(dispatch);
  const source = specialise(kernel, consts);
  const types = [...source.matchAll(ALIAS)].map(([, alias, type]) => `${alias}=${type}`);
  const sizes = Object.entries(consts).map(([name, value]) => `${name}=${value}`);
  return {
    id: [kernel.name, ...(variant === undefined ? [] : [variant]), ...types, ...sizes].join(" "),
    kernel: kernel.name,
    variant,
    precision: tensors.some(({ dtype }) => dtype === "f16") ? "f16" : "f32",
    isDefault,
    source,
    bindings: [...Object.values(kernel.bindings), ...(kernel.args ? ["uniform" as const] : [])],
  };
}

/** The dispatches of one training iteration, which has every kernel of a prediction's network too. */
function iteration(caps: Capabilities, preset: PresetName, precision: Precision) {
  const config = makeTrainConfig(preset, { precision });
  const g = new Graph(caps);
  const bindings = { table: state("table", [1, 8], "u32"), page0: state("page0", [1], "u32") };
  const store = { bindings, half: config.volumePrecision === "f16" };
  const train = makeTrainState(trainedParameters(config), config);
  recordIteration(g, { write: () => {} }, store, train, config);
  return g.dispatches;
}

/** Every op by itself in f32, and where it can be stored so in f16. */
function opDispatches(
  caps: Capabilities,
  reference: Reference<unknown>,
  all: boolean,
): readonly Dispatch[] {
  const op: Op<unknown> = reference.op;
  const c = largeCase(reference);
  return (reference.f16 ? [false, true] : [false]).flatMap((half) => {
    const rounds = all ? variantRounds(op, caps, half) : [{}];
    return rounds.flatMap(
      (variants) => new OpGraph(outlineOf(reference, c, half), caps, variants).graph.dispatches,
    );
  });
}

/**
 * Every distinct shader of the presets' iterations and of every op by itself.
 * @param all of every variant, not only of those that a GPU takes by default
 */
export function launches(caps: Capabilities, all: boolean): Launch[] {
  const found = new Map<string, Launch>();
  const add = (dispatches: readonly Dispatch[], isDefault: boolean) => {
    for (const dispatch of dispatches) {
      const launch = launchOf(dispatch, isDefault);
      if (!found.has(launch.id)) found.set(launch.id, launch);
    }
  };
  for (const preset of PRESETS_FOR_GPUS) {
    for (const precision of ["f32", "f16"] as const) add(iteration(caps, preset, precision), true);
  }
  for (const reference of references) add(opDispatches(caps, reference, false), true);
  if (all) for (const reference of references) add(opDispatches(caps, reference, true), false);
  return [...found.values()];
}
