/** Tries the limits that an adapter states: largest binding, workgroups, invocations, workgroup memory. */

import { UserError } from "../../core/errors";
import { Graph } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";
import { defineKernel, grid1d, num } from "../../core/kernel";
import { makeTensor } from "../../core/tensor";
import type { Device } from "../../gpu/device";
import { Memory } from "../../gpu/memory";
import { Program } from "../../gpu/program";
import type { Outcome, PortabilityCase } from "../case";
import type { Rig } from "../op_run";
import patternWgsl from "../probes/pattern.wgsl" with { type: "text" };
import { opCases } from "./ops";
import { barrierReference, gridReference, memoryReference } from "./probe_ops";

/** More workgroups than this along one axis would only take memory. */
const MANY = 2 ** 22;
const ROUNDS = 9;

export function limitCases(device: Device, caps: Capabilities, seed: number): PortabilityCase[] {
  const { limits } = device;
  const most = limits.maxComputeInvocationsPerWorkgroup;
  const x = Math.min(most, limits.maxComputeWorkgroupSizeX);
  const y = Math.min(most, limits.maxComputeWorkgroupSizeY);
  const z = Math.min(most, limits.maxComputeWorkgroupSizeZ);
  const ring = (...size: [number, number, number]) => ({ size, rounds: ROUNDS, groups: 5 });
  const invocations = barrierReference("limits.invocations", {
    [`${x}x1x1`]: ring(x, 1, 1),
    [`1x${y}x1`]: ring(1, y, 1),
    [`1x1x${z}`]: ring(1, 1, z),
    [`${most / 8}x4x2`]: ring(Math.min(x, most / 8), 4, 2),
  });
  const bytes = limits.maxComputeWorkgroupStorageSize;
  const n = Math.min(MANY, limits.maxComputeWorkgroupsPerDimension);
  const references = [
    invocations,
    memoryReference([bytes, bytes / 2]),
    gridReference([
      [n, 1, 1],
      [1, n, 1],
      [1, 1, n],
      [n, 3, 1],
    ]),
  ];
  return [...opCases(references, caps, seed).cases, ...bindingCases(caps, seed)];
}

const pattern = defineKernel({
  name: "pattern",
  source: patternWgsl,
  bindings: { y: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
});

/** A tensor as large as a binding can be, and one of half of that. */
function bindingCases({ maxBindingBytes }: Capabilities, seed: number): PortabilityCase[] {
  return [1, 2].map((part) => {
    const bytes = 16 * Math.floor(maxBindingBytes / part / 16);
    return {
      ...{ row: "limits.largest_binding", name: `${bytes}_bytes`, seed, short: part === 1 },
      patience: 120,
      run: (rig) => writeEverywhere(rig, bytes),
    };
  });
}

const PIECE = 2 ** 25;

async function writeEverywhere({ caps, device }: Rig, bytes: number): Promise<Outcome> {
  const memory = new Memory(device);
  const y = makeTensor("y", [bytes / 4], "temp", "u32");
  const g = new Graph(caps);
  g.emit(pattern, { y }, { COUNT: bytes / 16, WG: 256 });
  let program: Program;
  try {
    program = await Program.compile(memory, g, "largest binding", [y]);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { worst: 0, faults: [], skipped: `out of memory at ${bytes} bytes` };
  }
  program.run();
  const buffer = program.bufferOf(y);
  let wrong = 0;
  let first = -1;
  for (let at = 0; at < bytes; at += PIECE) {
    const words = new Uint32Array(await readRange(device, buffer, at, Math.min(PIECE, bytes - at)));
    for (let i = 0; i < words.length; i++) {
      if (words[i] === Math.imul(at / 4 + i, 0x9e3779b9) >>> 0) continue;
      if (wrong++ === 0) first = at / 4 + i;
    }
  }
  program.destroy();
  if (wrong === 0) return { worst: 0, faults: [] };
  const fault = `${wrong} of ${bytes / 4} words are wrong, the first is ${first}`;
  return { worst: Number.POSITIVE_INFINITY, faults: [fault] };
}

async function readRange(device: Device, buffer: GPUBuffer, at: number, size: number) {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.device.createBuffer({ label: "piece", size, usage });
  const encoder = device.device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, at, staging, 0, size);
  device.submit(encoder.finish(), "read a piece");
  await device.wait(staging.mapAsync(GPUMapMode.READ));
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  return bytes;
}
