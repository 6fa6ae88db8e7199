/** Runs a case dispatch by dispatch and keeps everything, for a reproduction that needs no engine. */
import { byteLength, storageOf, type Tensor } from "../../src/core/tensor";
import { specialise } from "../../src/gpu/shader";
import { expectationsOf, judge } from "../op_checks";
import { GUARD_WORDS, type Rig } from "../op_run";
import { positionsOf } from "../tensor_words";
import type { PortabilityCase } from "./case";
import { MutantMemory } from "./memory";
import {
  bytesOf,
  type Dissection,
  type Expectation,
  type PackedDispatch,
  toBase64,
} from "./packed";

const GUARD_BYTES = 4 * GUARD_WORDS;

/** @throws Error where the case is not a graph of its own */
export async function dissect(c: PortabilityCase, rig: Rig): Promise<Dissection> {
  if (!c.record) throw new Error("it is not made of dispatches that could be taken apart");
  const recorded = c.record(rig);
  const { memory, device } = rig;
  const prepared = await recorded.prepare(rig);
  const { program, storages } = prepared;
  const placeOf = new Map(storages.map((t, i) => [t.id, i]));
  prepared.fill();
  const states: string[][] = [];
  const { dispatches } = recorded.graph;
  let result = await prepared.read();
  for (let i = 0; ; i++) {
    states.push(storages.map((t) => toBase64(bytesOf(result.after.get(t.id)!))));
    if (i === dispatches.length) break;
    const encoder = device.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encodeSteps(pass, i, i + 1);
    pass.end();
    device.submit(encoder.finish(), program.labels[i]!);
    result = await prepared.read();
  }
  prepared.release();
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
    expected: expectationsOf(recorded).map(({ name, tensor, values, bounds }): Expectation => {
      const positions = positionsOf(tensor);
      return {
        ...{ name, buffer: placeOf.get(storageOf(tensor).id)!, type: tensor.dtype },
        shape: tensor.shape,
        positions: toBase64(bytesOf(positions)),
        values: toBase64(bytesOf(values)),
        bounds: toBase64(bytesOf(bounds)),
      };
    }),
    faults: judge(recorded, result).faults,
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
