/** The whole chain in a few seconds: a driver, a shader, a run, a result. */
import { expect, test } from "bun:test";
import { add } from "../../kernels/elementwise/add";
import { Graph } from "../../src/core/graph";
import { state } from "../../src/core/tensor";
import { capabilities } from "../../src/gpu/capabilities";
import { Memory } from "../../src/gpu/memory";
import { Program } from "../../src/gpu/program";
import { openDevice } from "../../src/hosts/bun";

test("an adapter opens and adds", async () => {
  const device = await openDevice();
  console.log(device.describe());
  const memory = new Memory(device);
  const graph = new Graph(capabilities(device));
  const shape = [2, 3, 5, 7, 11];
  const [a, b] = [state("a", shape), state("b", shape)];
  const { y } = graph.apply(add, { a, b }, {});
  const program = await Program.compile(memory, graph, "smoke", [y!]);
  const values = Float32Array.from({ length: 2310 }, (_, i) => i / 8);
  memory.write(a, values);
  memory.write(b, values.toReversed());
  program.run();
  const sum = await memory.readF32(y!, program.bufferOf(y!));
  expect(sum).toEqual(new Float32Array(2310).fill(2309 / 8));
  program.destroy();
  device.destroy();
});
