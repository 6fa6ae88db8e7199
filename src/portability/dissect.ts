/** Runs a case dispatch by dispatch and keeps everything, for a reproduction that needs no engine. */
import type { Graph } from "../core/graph";
import { byteLength, storageOf, type Tensor } from "../core/tensor";
import type { Program } from "../gpu/program";
import { specialise } from "../gpu/shader";
import type { PortabilityCase } from "./case";
import { MutantMemory } from "./memory";
import { type Expected, expectationsOf, judge } from "./op_checks";
import { GUARD_WORDS, type Readback, type Rig } from "./op_run";
import {
  bytesOf,
  type Dissection,
  type Expectation,
  type PackedDispatch,
  toBase64,
} from "./packed";
import { positionsOf } from "./tensor_words";

const GUARD_BYTES = 4 * GUARD_WORDS;

/** @throws Error where the case is not made of dispatches */
export async function dissect(c: PortabilityCase, rig: Rig): Promise<Dissection> {
  if (c.dissect) return c.dissect(rig);
  if (!c.record) throw new Error(`${c.row}/${c.name} is not made of dispatches`);
  const recorded = c.record(rig);
  const prepared = await recorded.prepare(rig);
  let result: Readback | undefined;
  const read = async () => {
    result = await prepared.read();
    return result.after;
  };
  const steps = await stepByStep(rig, { ...prepared, graph: recorded.graph, read });
  prepared.release();
  return {
    ...steps,
    expected: expectationsOf(recorded).map((e) => packExpected(prepared.storages, e)),
    faults: judge(recorded, result!).faults,
  };
}

/** A compiled graph, and its buffers. */
export interface Steps {
  readonly graph: Graph;
  readonly program: Program;
  readonly storages: readonly Tensor[];
  /** Writes what every buffer holds before the first dispatch. */
  fill(): void;
  /** The words of every buffer, by the id of its storage. */
  read(): Promise<ReadonlyMap<number, Uint32Array>>;
}

/** Runs it one dispatch at a time. */
export async function stepByStep(
  { memory, device }: Rig,
  { graph: { dispatches }, program, storages, fill, read }: Steps,
): Promise<Pick<Dissection, "packed" | "states">> {
  fill();
  const states: string[][] = [];
  for (let i = 0; ; i++) {
    const words = await read();
    states.push(storages.map((t) => toBase64(bytesOf(words.get(t.id)!))));
    if (i === dispatches.length) break;
    const encoder = device.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encodeSteps(pass, i, i + 1);
    pass.end();
    device.submit(encoder.finish(), program.labels[i]!);
  }
  const placeOf = new Map(storages.map((t, i) => [t.id, i]));
  const packed = dispatches.map((d): PackedDispatch => {
    const kernel = memory instanceof MutantMemory ? memory.mutated(d.kernel) : d.kernel;
    return {
      kernel: d.kernel.name,
      wgsl: specialise(kernel, d.consts),
      workgroups: d.kernel.grid(d.sizes),
      buffers: d.tensors.map((t) => placeOf.get(storageOf(t).id)!),
      ranges: d.tensors.map(rangeOf),
      access: Object.values(d.kernel.bindings),
      args: d.args,
    };
  });
  const features = ["subgroups", "shader-f16", "chromium-experimental-subgroup-matrix"];
  return {
    packed: {
      features: features.filter((name) => needs(name, packed) && device.features.has(name)),
      buffers: storages.map((t, i) => ({ name: t.name, type: t.dtype, data: states[0]![i]! })),
      dispatches: packed,
    },
    states,
  };
}

/** The right values of a tensor: everywhere, or at some of its elements. */
export function packExpected(
  storages: readonly Tensor[],
  { name, tensor, values, bounds }: Expected,
  at?: readonly number[],
): Expectation {
  const positions = positionsOf(tensor);
  return {
    ...{ name, type: tensor.dtype, shape: at ? [at.length] : tensor.shape, partial: Boolean(at) },
    buffer: storages.findIndex(({ id }) => id === storageOf(tensor).id),
    positions: toBase64(bytesOf(at ? Uint32Array.from(at, (i) => positions[i]!) : positions)),
    values: toBase64(bytesOf(values)),
    bounds: toBase64(bytesOf(bounds)),
  };
}

const rangeOf = (t: Tensor): readonly [number, number] =>
  t.range
    ? [4 * t.range.offset, byteLength(t)]
    : [0, byteLength(t.channels ? storageOf(t) : t) + GUARD_BYTES];

const ENABLES: Readonly<Record<string, string>> = { "shader-f16": "f16" };

/** Whether a shader enables the extension of a feature. */
const needs = (feature: string, dispatches: readonly PackedDispatch[]) =>
  dispatches.some(({ wgsl }) =>
    wgsl.includes(`enable ${ENABLES[feature] ?? feature.replaceAll("-", "_")};`),
  );
