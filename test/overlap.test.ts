import { expect, test } from "bun:test";
import { NO_WINDOW, overlapAdd } from "../kernels/windows/overlap_add";
import { Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { state } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { defaultDevice } from "./test_devices";

const size = [5, 4, 6] as const;
const S = 120;
const D = 9;

test("overlapping windows sum to the same bits however they are split into launches", async () => {
  const memory = new Memory(await defaultDevice());
  const rng = new Philox(3);
  const corner = () => rng.int(6) - 2;
  const rows = Array.from({ length: 12 }, (_, i) => [corner(), corner(), corner(), i]);
  const predictions = Float32Array.from({ length: 12 * S }, () => rng.normal());
  const results: Float32Array[] = [];
  for (const n of [12, 5, 1]) {
    const p = state("p", [12, S]);
    const sum = state("sum", [D, 7, 8]);
    const weights = state("weights", [15]);
    memory.write(p, predictions);
    memory.write(
      weights,
      Float32Array.from({ length: 15 }, (_, i) => 1 / (i + 3)),
    );
    const graph = new Graph(capabilities(memory.device));
    for (let at = 0; at < rows.length; at += n) {
      const windows = state("windows", [n, 4], "u32");
      const padded = Array.from({ length: n }, (_, i) => rows[at + i] ?? [0, 0, 0, NO_WINDOW]);
      memory.write(windows, Uint32Array.from(padded.flat().map((v) => v >>> 0)));
      graph.apply(overlapAdd, { p, windows, weights, sum }, { size, z0: 0, D });
    }
    const program = await Program.compile(memory, graph, `by ${n}`);
    program.run();
    results.push(await memory.readF32(sum));
    program.destroy();
  }
  expect(results[0]!.some((v) => v !== 0)).toBe(true);
  expect(results[1]).toEqual(results[0]!);
  expect(results[2]).toEqual(results[0]!);
  memory.device.destroy();
});
