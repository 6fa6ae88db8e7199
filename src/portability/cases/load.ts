/** Barriers under load, dispatches that take long, and many that are small. */
import { Graph } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";
import { defineKernel, num } from "../../core/kernel";
import { makeTensor } from "../../core/tensor";
import type { Device } from "../../gpu/device";
import { Program } from "../../gpu/program";
import type { Outcome, PortabilityCase } from "../case";
import { compare } from "../op_checks";
import type { Rig } from "../op_run";
import longWgsl from "../probes/long.wgsl" with { type: "text" };
import { opCases } from "./ops";
import { barrierReference, manySmallReference, storageBarrierReference } from "./probe_ops";

export function loadCases(device: Device, caps: Capabilities, seed: number): PortabilityCase[] {
  const most = device.limits.maxComputeInvocationsPerWorkgroup;
  const barriers = barrierReference("load.barriers", {
    "64x4000": { size: [64, 1, 1], rounds: 16, groups: 4000 },
    [`${most}x200`]: { size: [most, 1, 1], rounds: 50, groups: 200 },
    "33x1000": { size: [33, 1, 1], rounds: 40, groups: 1000 },
  });
  const references = [barriers, storageBarrierReference, manySmallReference];
  return [...opCases(references, caps, seed).cases, ...longCases(seed), submitCase(seed)];
}

const long = defineKernel({
  name: "long",
  source: longWgsl,
  bindings: { y: "read_write" },
  args: ["turns"],
  grid: (c) => [num(c, "COUNT") / num(c, "WG"), 1, 1],
});
const [MULTIPLIER, INCREMENT] = [1664525, 1013904223];
const COUNT = 4096;

/** x after so many turns, by squaring the map. */
function after(turns: number, x: number): number {
  let [a, c] = [MULTIPLIER, INCREMENT];
  let value = x;
  for (let rest = turns; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) value = (Math.imul(a, value) + c) >>> 0;
    c = (Math.imul(a, c) + c) >>> 0;
    a = Math.imul(a, a) >>> 0;
  }
  return value;
}

/** One dispatch that takes at least so long: watchdogs of graphics drivers end some after seconds. */
function longCases(seed: number): PortabilityCase[] {
  return [0.3, 1.5].map((seconds) => ({
    ...{ row: "load.long_running", name: `${seconds}_s`, seed, short: seconds < 1 },
    patience: 60,
    run: (rig) => takeLong(rig, seconds),
  }));
}

async function takeLong(rig: Rig, seconds: number): Promise<Outcome> {
  let turns = 1000;
  for (;;) {
    const { y, took } = await turned(rig, turns);
    const expected = Float64Array.from({ length: COUNT }, (_, i) => after(turns, i));
    const { worst, fault } = compare("y", [COUNT], y, expected, 0);
    const note = `${turns} turns in ${took.toFixed(2)} s`;
    if (fault) return { worst, faults: [fault], note };
    if (took >= seconds || turns >= 2 ** 31) return { worst, faults: [], note };
    turns = Math.min(2 ** 31, Math.ceil(turns * Math.min(20, (1.2 * seconds) / took)));
  }
}

async function turned({ memory, device, caps }: Rig, turns: number) {
  const y = makeTensor("y", [COUNT], "temp", "u32");
  const g = new Graph(caps);
  g.emit(long, { y }, { WG: 64, COUNT }, { turns });
  const program = await Program.compile(memory, g, "long", [y]);
  await device.idle();
  const start = performance.now();
  program.run();
  await device.idle();
  const took = (performance.now() - start) / 1000;
  const words = await memory.readU32(y, program.bufferOf(y));
  program.destroy();
  return { y: words.subarray(0, COUNT), took };
}

const SUBMITS = 500;

/** Many submissions in a row, none waited for. */
function submitCase(seed: number): PortabilityCase {
  return {
    ...{ row: "load.many_submits", name: `${SUBMITS}`, seed, short: true },
    async run({ memory, device, caps }) {
      const y = makeTensor("y", [COUNT], "temp", "u32");
      const g = new Graph(caps);
      g.emit(long, { y }, { WG: 64, COUNT }, { turns: 7 });
      const program = await Program.compile(memory, g, "submits", [y]);
      for (let i = 0; i < SUBMITS; i++) program.run();
      await device.idle();
      const words = await memory.readU32(y, program.bufferOf(y));
      program.destroy();
      const expected = Float64Array.from({ length: COUNT }, (_, i) => after(7, i));
      const { worst, fault } = compare("y", [COUNT], words.subarray(0, COUNT), expected, 0);
      return { worst, faults: fault ? [fault] : [] };
    },
  };
}
