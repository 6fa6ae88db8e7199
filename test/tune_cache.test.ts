/** The tuner's files on disk, and its findings when it must stop early. */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { Graph } from "../src/core/graph";
import type { Tensor } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import { settle } from "../src/tune/policy";
import type { Task } from "../src/tune/task";
import { tune } from "../src/tune/tuner";
import { defaultDevice } from "./test_devices";
import { convTasks, naive, nearly, PROBLEM, plain, TestStore, variant } from "./tune_rig";

const device = await defaultDevice();
const caps = capabilities(device);
const stores: TestStore[] = [];
afterAll(() => {
  device.destroy();
  for (const store of stores) store.remove();
});

function newStore(): TestStore {
  const store = new TestStore();
  stores.push(store);
  return store;
}

describe("the cache", () => {
  const two = [plain, naive];

  test("gives back what was found; then nothing is due", async () => {
    const store = newStore();
    const [first, again] = [await convTasks(device, two), await convTasks(device, two)];
    expect(await settle(device, first, "on", { seconds: 60, store })).toEqual({
      due: 1,
      end: "all",
    });
    expect(readdirSync(store.folder)).toEqual([`${first[0]!.key}.json`]);
    expect((await settle(device, again, "on", { seconds: 60, store })).due).toBe(0);
    expect(again[0]!.entry).toEqual(first[0]!.entry!);
    expect((await settle(device, again, "force", { seconds: 60, store })).due).toBe(1);
    expect(store.warnings).toEqual([]);
  });

  test("another shader, problem or list of candidates is another key", async () => {
    const commented = variant("plain", (g, t, geometry) => {
      const inner = new Graph(caps);
      plain.emit(inner, t, geometry);
      for (const { kernel, consts, sizes, tensors } of inner.dispatches) {
        const names = Object.keys(kernel.bindings);
        const byName: Record<string, Tensor> = {};
        for (const [i, name] of names.entries()) byName[name] = tensors[i]!;
        const args = Object.fromEntries((kernel.args ?? []).map((a) => [a, Number(sizes[a])]));
        g.emit({ ...kernel, source: `// changed\n${kernel.source}` }, byName, consts, args);
      }
    });
    const keys = new Set<string>();
    const lists = [two, [commented, naive], [naive, plain], [plain, naive, nearly]];
    for (const list of lists) keys.add((await convTasks(device, list))[0]!.key);
    keys.add((await convTasks(device, two, { ...PROBLEM, COUT: 6 }))[0]!.key);
    expect(keys.size).toBe(5);
    expect((await convTasks(device, two))[0]!.key).toBe((await convTasks(device, two))[0]!.key);
  });

  test("damaged files are ignored with a warning, and written anew", async () => {
    const store = newStore();
    const [task] = await convTasks(device, two);
    const foreign = { version: 3, chosen: "gone", timings: [] };
    for (const text of ['{"version": 3, "cho', JSON.stringify(foreign)]) {
      writeFileSync(store.path(task!.key), text);
      store.warnings.length = 0;
      const tasks = await convTasks(device, two);
      expect((await settle(device, tasks, "on", { seconds: 60, store })).due).toBe(1);
      expect(store.warnings.length, text).toBe(1);
      expect(tasks[0]!.entry).toBeDefined();
      expect(await store.read(task!.key)).toEqual(tasks[0]!.entry as object);
    }
  });

  test("off looks at nothing; auto tunes nothing on a software adapter", async () => {
    const store = newStore();
    const tasks = await convTasks(device, two);
    expect((await settle(device, tasks, "off", { seconds: 60, store })).due).toBe(0);
    const auto = await settle(device, tasks, "auto", { seconds: 60, store });
    expect(auto.due).toBe(device.info.type === "software" ? 0 : 1);
  });
});

describe("limits", () => {
  const problems = [5, 6, 7].map((COUT) => ({ ...PROBLEM, COUT }));

  test("at the end of the time what was found is kept, and the rest is due next time", async () => {
    const store = newStore();
    const tasks = await convTasks(device, [plain, naive], ...problems);
    let clock = 0;
    const options = { seconds: 60, store, now: () => clock, onDecided: () => (clock += 61) };
    expect(await tune(device, tasks, options)).toBe("time");
    const known = (list: readonly Task[]) => list.filter(({ entry }) => entry).length;
    expect(known(tasks)).toBe(1);
    const next = await convTasks(device, [plain, naive], ...problems);
    expect((await settle(device, next, "on", { seconds: 60, store })).due).toBe(2);
    expect(known(next)).toBe(3);
  });

  test("so it is when interrupted, also in the middle of a task", async () => {
    const store = newStore();
    const tasks = await convTasks(device, [plain, naive], ...problems);
    const controller = new AbortController();
    const onProgress = ({ done, best }: { done: number; best?: object }) => {
      if (done === 1 && best) controller.abort();
    };
    const { signal } = controller;
    expect(await tune(device, tasks, { seconds: 60, store, signal, onProgress })).toBe(
      "interrupted",
    );
    expect(readdirSync(store.folder).length).toBe(1);
  });
});
