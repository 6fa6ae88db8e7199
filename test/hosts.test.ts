/**
 * The engine in Node, Deno, and a page of Chromium and of Firefox: an op, a convolution with its gradients, and a short
 * training run whose losses are those of Bun. Skipped with the reason where a host cannot be had.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Host, HostAdapter, HostWorker } from "../src/portability/host";
import { hosts } from "../src/portability/hosts/index";
import { broughtPackages, Unavailable } from "../src/portability/hosts/packages";
import { lastWords } from "../src/portability/hosts/worker_process";
import {
  CURVE_TOLERANCE,
  largestDifference,
  type TrainingCurve,
} from "../src/portability/training";
import type { HostsRequest } from "./hosts_worker";

const WORKER = join(import.meta.dir, "hosts_worker.ts");

/** The adapter whose shaders this host compiles in the least time. */
const PREFERRED = {
  ...{ bun: "lavapipe", node: "lavapipe", deno: "swiftshader" },
  ...{ chromium: "", firefox: "lavapipe" },
} as const;

function preferred({ name }: Host, adapters: readonly HostAdapter[]): HostAdapter | undefined {
  return adapters.find(({ kind }) => kind === PREFERRED[name]) ?? adapters[0];
}

async function ask<T>(worker: HostWorker, request: HostsRequest): Promise<T> {
  worker.send(request);
  const { value, done } = await worker.messages[Symbol.asyncIterator]().next();
  if (done) throw new Error((await worker.ended).detail);
  return value as T;
}

test("what may not be brought is told so", async () => {
  const before = { ...process.env };
  Object.assign(process.env, { VOXGRAD_CACHE: "/nowhere", VOXGRAD_NO_DOWNLOAD: "1" });
  const attempt = broughtPackages("deno", 40);
  await expect(attempt).rejects.toThrow(Unavailable);
  await expect(attempt).rejects.toThrow("VOXGRAD_NO_DOWNLOAD");
  for (const name of ["VOXGRAD_CACHE", "VOXGRAD_NO_DOWNLOAD"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
});

test("the last words of a worker: a panic's place and message, an error, else its last line", () => {
  const panic = "thread 'main' (7) panicked at /home/x/registry/src/index-1/naga-29/src/a.rs:1:2:";
  expect(lastWords(["hello", panic, "unreachable code", "stack backtrace:"])).toBe(
    "thread 'main' panicked at naga-29/src/a.rs:1:2: unreachable code",
  );
  expect(lastWords(["at f", "RangeError: no", "  at g"])).toBe("RangeError: no");
  expect(lastWords(["one", "two"])).toBe("two");
  expect(lastWords([])).toBe("");
});

/** Bun's, the first host, which all others are compared with. */
let expected: TrainingCurve | undefined;
/** The drivers that the hosts tell of a kind of adapter; Chromium has a SwiftShader of its own. */
const drivers = new Map<string, Set<string>>();

for (const host of hosts) {
  const { adapters, reason } = await host.adapters();
  for (const { kind, driver } of host.name === "chromium" ? [] : adapters) {
    if (kind === "hardware") continue;
    drivers.set(kind, (drivers.get(kind) ?? new Set()).add(driver));
  }
  const adapter = preferred(host, adapters);
  if (!adapter) {
    console.warn(`not tested in ${host.name}: ${reason}`);
    continue;
  }
  const worker = await host.start(adapter, WORKER);
  describe(`${host.name} × ${adapter.name}`, () => {
    afterAll(() => worker.stop());

    test.each([
      ["add", "odd"],
      ["conv3d", "c3x5_3x5x7"],
    ])("%s %s", async (op, id) => {
      expect(await ask<string[]>(worker, { do: "case", op, id })).toEqual([]);
    });

    test("the loss curve is that of Bun", async () => {
      const curve = await ask<TrainingCurve>(worker, { do: "train" });
      expected ??= curve;
      expect(largestDifference(curve, expected)).toBeLessThan(CURVE_TOLERANCE);
      expect(new Set(curve.losses).size).toBe(curve.losses.length);
    });

    test("names, limits and versions are stated", () => {
      expect(adapter.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
      expect(Object.values(adapter.versions)).not.toContain("unknown");
      expect(JSON.parse(JSON.stringify(adapter))).toEqual(adapter);
    });

    test("an error ends the worker, and its end says which; one that hangs can be stopped", async () => {
      const failing = await host.start(adapter, WORKER);
      failing.send({ do: "throw" });
      const end = await failing.ended;
      expect(end.kind).toBe("crash");
      expect(end.detail).toContain("as asked");
      const hanging = await host.start(adapter, WORKER);
      hanging.send({ do: "hang" });
      await Bun.sleep(100);
      await hanging.stop();
      expect((await hanging.ended).kind).toBe("killed");
    });
  });
}

test("a software adapter is of one driver in all hosts, which its version tells", () => {
  for (const [kind, told] of drivers) {
    expect({ kind, told: [...told] }).toEqual({ kind, told: [expect.stringMatching(/\d+\.\d+/)] });
  }
});
