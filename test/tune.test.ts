/** The tuner on a device: wrong candidates are refused, and graphs record what was found. */

import { afterAll, describe, expect, test } from "bun:test";
import type { ConvVariant } from "../kernels/conv3d/contract";
import { conv3d } from "../kernels/conv3d/conv3d";
import { keptChoices, tunedChoices } from "../src/choose/device_choices";
import { windowBatchKey, windowBatchTask } from "../src/choose/window_batch";
import { Graph } from "../src/core/graph";
import { state } from "../src/core/tensor";
import { capabilities, graphFor } from "../src/gpu/capabilities";
import { windowBatch } from "../src/infer/window_batch";
import { TEST_UNET } from "../src/portability/test_unet";
import { choicesOf } from "../src/tune/choices";
import { opTasks } from "../src/tune/op_tasks";
import { tune } from "../src/tune/tuner";
import { FOR_GPUS } from "./adapters";
import { defaultDevice } from "./test_devices";
import { broken, convTasks, half, naive, nearly, plain, wrong } from "./tune_rig";

const device = await defaultDevice();
const caps = capabilities(device);
afterAll(() => device.destroy());

async function tuned(variants: readonly ConvVariant[]) {
  const tasks = await convTasks(device, variants);
  const lines: string[] = [];
  const end = await tune(device, tasks, { seconds: 60, onRefused: (line) => lines.push(line) });
  return { end, lines, entry: tasks[0]!.entry };
}

describe("wrong candidates are refused, however fast", () => {
  test("everywhere wrong, half written, one element wrong, not compiling", async () => {
    const { end, lines, entry } = await tuned([wrong, half, plain, nearly, broken, naive]);
    expect(end).toBe("all");
    expect(["plain", "naive"]).toContain(entry!.chosen);
    const refused = entry!.timings.filter((s) => "refused" in s).map(({ name }) => name);
    expect(refused).toEqual(["wrong", "half", "nearly", "broken"]);
    expect(lines.length).toBe(4);
    expect(lines[0]).toMatch(/^conv3d .*: wrong refused: wrong result: y\[\d+\] is 0, should be/);
    expect(lines[1]).toMatch(/half refused: wrong result: y\[\d+\] is NaN/);
    expect(lines[2]).toMatch(/nearly refused: wrong result: y\[1234\] is 0/);
    expect(lines[3]).toMatch(/broken refused: does not run: .*scribble/);
  });

  test("also when the others are compared with it", async () => {
    const { lines, entry } = await tuned([nearly, plain]);
    expect(entry!.chosen).toBe("plain");
    expect(lines.join()).toMatch(/nearly refused: wrong result: y\[1234\]/);
  });

  test("without a right one nothing is chosen", async () => {
    const { end, entry } = await tuned([wrong, broken]);
    expect({ end, entry }).toEqual({ end: "all", entry: undefined });
  });
});

describe("choices", () => {
  const convolve = (g: Graph, n: number) => {
    const [w, b] = [state("w", [5, 3, 3, 3, 3]), state("b", [5])];
    g.apply(conv3d, { x: state("x", [n, 3, 8, 9, 12]), w, b }, {});
    return g.picks[0]!;
  };

  test("what was found is what graphs record, of other batches the nearest", async () => {
    const before = convolve(new Graph(caps), 2);
    expect(before.chosen).toBe(before.candidates[0]!);
    const slow = before.candidates.filter((name) => FOR_GPUS.test(name));
    const tasks = await opTasks(device, [conv3d], [{ ...before, slow }]);
    await tune(device, tasks, { seconds: 60 });
    // Whatever won, another one is put in its place, to see that it is taken.
    const other = before.candidates.at(-1)!;
    tasks[0]!.entry = { ...tasks[0]!.entry!, chosen: other };
    const choices = choicesOf(tasks);
    for (const n of [2, 3, 64]) {
      expect(convolve(graphFor(device, { choices }), n).chosen, `${n}`).toBe(other);
    }
    const g = graphFor(device, { choices, variants: { conv3d: "plain" } });
    expect(convolve(g, 2).chosen).toBe("plain");
    expect(g.dispatches.at(-1)!.variant).toBe("plain");
  });

  test("a name that the adapter has not, or another problem's, changes nothing", () => {
    const first = convolve(new Graph(caps), 2).candidates[0]!;
    expect(convolve(new Graph(caps, { choices: () => "gone" }), 2).chosen).toBe(first);
    expect(convolve(new Graph(caps, { choices: choicesOf([]) }), 2).chosen).toBe(first);
  });

  test("windows per run of the network are tuned too", async () => {
    const model = { unet: TEST_UNET, patch: 8 };
    const before = windowBatch(device, model);
    const task = (await windowBatchTask(device, model))!;
    expect(task.candidates[0]).toBe(`${before}`);
    const lines: string[] = [];
    await tune(device, [task], { seconds: 60, onRefused: (line) => lines.push(line) });
    expect(lines).toEqual([]);
    const decided = { ...task, entry: { ...task.entry!, chosen: "4" } };
    const { windowBatch: tuned } = tunedChoices([], [decided]);
    expect(tuned!(model)).toBe(4);
    expect(tuned!({ ...model, patch: 16 })).toBeUndefined();
    expect(keptChoices({ [windowBatchKey(model)]: "4" }).windowBatch!(model)).toBe(4);
    expect(windowBatch(device, model, 3)).toBe(3);
  });
});
