/** The tuner without a device: elements of references, timings, files, and the table of defaults. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conv3d } from "../kernels/conv3d/conv3d";
import { DEFAULTS, preferred } from "../kernels/defaults";
import { ops } from "../kernels/index";
import { upsample3d } from "../kernels/resize/upsample3d";
import { iterationPicks } from "../src/choose/iteration_kernels";
import type { Capabilities } from "../src/core/kernel";
import { Philox } from "../src/core/random";
import { elements, type Shape } from "../src/core/tensor";
import { type Problem, problemKey } from "../src/core/variant";
import { FileTuneStore } from "../src/platform/tune_store";
import { tinyConfig } from "../src/portability/training_rig";
import { conv3dReference } from "../src/reference/conv3d";
import type { Reference, Values } from "../src/reference/reference";
import { upsample3dReference } from "../src/reference/upsample3d";
import { createRunFolder, readChoices, writeChoices } from "../src/run/run_folder";
import {
  fastest,
  Limit,
  Refused,
  type StartedCandidate,
  type Timing,
  timeCandidates,
} from "../src/tune/timing";
import type { Trial } from "../src/tune/trial";
import { trialsOf } from "../src/tune/trials/index";

const CAPS: Capabilities = {
  kind: "lavapipe",
  subgroupSize: 8,
  shaderF16: false,
  maxBindingBytes: 2 ** 27,
  subgroupMatrices: [],
  maxInvocations: 256,
  maxWorkgroupBytes: 2 ** 14,
};

describe("trials ask the references for the right elements", () => {
  const random = new Philox(3);
  const values = (shape: Shape) =>
    Float64Array.from({ length: elements(shape) }, () => random.normal());

  /** What the trial says of each element of an output against `expected`, bounds against `bounds`. */
  function compare(
    trial: Trial,
    problem: Problem,
    inputs: Values,
    output: string,
    expected: Float64Array,
    bounds: Float64Array | number,
  ): void {
    const read = Object.fromEntries(
      Object.entries(inputs).map(([name, array]) => [name, (i: number) => array[i]!]),
    );
    for (const [i, right] of expected.entries()) {
      const { value, bound } = trial.exact(read, problem, output, i);
      expect(value, `${output}[${i}]`).toBeCloseTo(right, 10);
      const wanted = typeof bounds === "number" ? bounds : bounds[i]!;
      expect(bound / wanted, `bound of ${output}[${i}]`).toBeCloseTo(1, 6);
    }
  }

  const run = (reference: Reference<unknown>, inputs: Values, shapes: Record<string, Shape>) => {
    const attrs = { alignCorners: reference.op === (upsample3d as unknown) };
    const { y } = reference.forward(inputs, shapes, attrs);
    const dy = y!.map(() => random.normal());
    const gradients = reference.backward!(inputs, shapes, attrs, { y: dy });
    const bound = (name: string) =>
      reference.bound(name, inputs, shapes, attrs, name === "y" ? undefined : { y: dy });
    return { y: y!, dy, gradients, bound };
  };

  for (const K of [1, 3]) {
    test(`convolution ${K}³`, () => {
      const sizes = { N: 2, D: 3, H: 4, W: 5, K };
      const shapes = { x: [2, 3, 3, 4, 5], w: [4, 3, K, K, K], b: [4] };
      const inputs = { x: values(shapes.x), w: values(shapes.w), b: values(shapes.b) };
      const { y, dy, gradients, bound } = run(conv3dReference, inputs, shapes);
      const { conv3d: forward, conv3d_dx: input, conv3d_dw: weight } = trialsOf(conv3d);
      const across = { ...sizes, CIN: 3, COUT: 4 };
      const back = { ...sizes, CIN: 4, COUT: 3 };
      const plain = { NORM: 0, NORM_DY: 0, MOMENTS: 0, DX: 1, F16: 0 };
      const given = { x: inputs.x, dy, w: inputs.w };
      compare(forward!, { ...across, ...plain }, inputs, "y", y, bound("y"));
      for (const [trial, sizes] of [
        [input!, back],
        [weight!, across],
      ] as const) {
        const problem = { ...sizes, ...plain };
        compare(trial, problem, given, "dx", gradients.x!, bound("dx"));
        compare(trial, problem, given, "dw", gradients.w!, bound("dw"));
      }
    });
  }

  test("upsampling", () => {
    const sizes = { N: 2, C: 2, D: 3, H: 1, W: 4, ALIGN: 1, NORM: 0, F16: 0 };
    const shapes = { x: [2, 2, 3, 1, 4] };
    const inputs = { x: values(shapes.x) };
    const { y, dy, gradients, bound } = run(upsample3dReference, inputs, shapes);
    const { upsample3d: forward, upsample3d_dx: gradient } = trialsOf(upsample3d);
    compare(forward!, sizes, inputs, "y", y, bound("y"));
    compare(gradient!, sizes, { dy }, "dx", gradients.x!, bound("dx"));
  });
});

describe("timings", () => {
  const timed = (name: string, least: number, milliseconds = least): Timing => ({
    ...{ name, least, milliseconds },
  });

  test("least and median decide; the default stays unless another is clearly faster", () => {
    expect(fastest([timed("a", 10), timed("b", 8)])).toBe("b");
    expect(fastest([timed("a", 10), timed("b", 9.9)])).toBe("a");
    expect(fastest([timed("a", 10, 10), timed("b", 9, 14)])).toBe("a");
    expect(fastest([{ name: "a", refused: "wrong" }, timed("b", 99), timed("c", 98)])).toBe("c");
    expect(fastest([{ name: "a", refused: "wrong" }])).toBeUndefined();
  });

  /** Takes `milliseconds` by its own account; counts how often it is asked. */
  function timedCandidate(name: string, milliseconds: number) {
    const counts = { times: 0, released: 0 };
    const started: StartedCandidate = {
      time: async () => {
        counts.times++;
        return milliseconds;
      },
      timesFor: () => 1,
      release: () => {
        counts.released++;
      },
    };
    return { counts, candidate: { name, start: async () => started } };
  }

  test("a candidate that is far too slow is not in the rounds; all are released", async () => {
    const [fast, medium, slow] = [
      timedCandidate("a", 30),
      timedCandidate("b", 100),
      timedCandidate("c", 130),
    ];
    const all = [fast, medium, slow].map(({ candidate }) => candidate);
    const found = await timeCandidates(all, new Limit(60));
    expect(found!.map((s) => "slow" in s)).toEqual([false, false, true]);
    expect(slow.counts).toEqual({ times: 1, released: 1 });
    expect([fast, medium].map(({ counts }) => counts)).toEqual([
      { times: 8, released: 1 },
      { times: 8, released: 1 },
    ]);
  });

  test("what goes wrong otherwise is not swallowed, and nothing leaks", async () => {
    const fine = timedCandidate("a", 1);
    const fails = (error: Error) => ({ name: "b", start: () => Promise.reject(error) });
    const lost = timeCandidates([fine.candidate, fails(new Error("device lost"))], new Limit(60));
    await expect(lost).rejects.toThrow("device lost");
    expect(fine.counts.released).toBe(1);
    const refused = await timeCandidates(
      [fine.candidate, fails(new Refused("wrong result"))],
      new Limit(60),
    );
    expect(refused![1]).toEqual({ name: "b", refused: "wrong result" });
  });
});

describe("files", () => {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-tune-"));

  test("many writers of one key leave one whole file", async () => {
    const warnings: string[] = [];
    const stores = [0, 1].map(() => new FileTuneStore((line) => warnings.push(line), folder));
    const values = Array.from({ length: 40 }, (_, i) => ({ i, filler: "x".repeat(10000 + i) }));
    await Promise.all(values.map((value, i) => stores[i % 2]!.write("key", value)));
    expect(readdirSync(folder)).toEqual(["key.json"]);
    expect(values).toContainEqual((await stores[0]!.read("key")) as (typeof values)[number]);
    expect(await stores[0]!.read("other")).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test("a folder that cannot be written costs a warning, no more", async () => {
    const warnings: string[] = [];
    const file = join(folder, "file");
    writeFileSync(file, "");
    const store = new FileTuneStore((line) => warnings.push(line), join(file, "sub"));
    await store.write("key", {});
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain("not kept for the next run");
    rmSync(folder, { recursive: true });
  });

  test("a run folder keeps the variants of one adapter", () => {
    const path = join(mkdtempSync(join(tmpdir(), "voxgrad-run-")), "run");
    const run = createRunFolder(path, {}, { data: null, train: ["a"], val: [] });
    expect(readChoices(run, "gpu")).toBeUndefined();
    const choices = { adapter: "gpu", variants: { "conv3d K=3": "tiled" } };
    writeChoices(run, choices);
    expect(readChoices(run, "gpu")).toEqual(choices);
    expect(readChoices(run, "another")).toBeUndefined();
    expect(existsSync(join(path, "choices.json"))).toBe(true);
    expect(JSON.parse(readFileSync(join(path, "choices.json"), "utf8"))).toEqual(choices);
    rmSync(join(path, ".."), { recursive: true });
  });
});

describe("defaults and picks", () => {
  test("the table names picks and variants that there are", () => {
    const known = Object.assign({}, ...Object.values(ops).map(({ variants }) => variants ?? {}));
    for (const rule of Object.values(DEFAULTS).flat()) {
      for (const op of rule.ops) {
        const names = (known[op] ?? []).map(({ name }: { name: string }) => name);
        expect(names, `${op} ${rule.use}`).toContain(rule.use);
      }
    }
  });

  test("preferred puts the default of a class first and drops nothing", () => {
    const variants = [{ name: "rows16" }, { name: "rows4" }, { name: "cells" }];
    const order = (kind: Capabilities["kind"]) =>
      preferred("upsample3d", variants, { ...CAPS, kind }, { W: 16 }).map(({ name }) => name);
    expect(order("hardware")).toEqual(["rows4", "rows16", "cells"]);
    expect(order("lavapipe")).toEqual(["rows16", "rows4", "cells"]);
  });

  test("an iteration is recorded without a device: what it picks, and with choices", () => {
    const config = tinyConfig();
    const picks = iterationPicks(CAPS, config);
    const ops = new Set(picks.map(({ op }) => op));
    for (const op of ["conv3d", "conv3d_dx", "conv3d_dw", "upsample3d", "upsample3d_dx"]) {
      expect(ops.has(op), op).toBe(true);
    }
    expect(picks.every(({ candidates, chosen }) => candidates[0] === chosen)).toBe(true);
    const slow = new Set(picks.flatMap((picked) => picked.slow));
    expect(slow).toEqual(new Set(["naive"]));
    const choices = (op: string) => (op === "conv3d" ? "naive" : undefined);
    const tuned = iterationPicks(CAPS, config, choices);
    const forward = tuned.filter(({ op }) => op === "conv3d");
    expect(new Set(forward.map(({ chosen }) => chosen))).toEqual(new Set(["naive"]));
  });

  test("problems have one key whatever their order", () => {
    expect(problemKey("op", { B: 2, A: 1 })).toBe("op A=1 B=2");
    expect(problemKey("op", { A: 1, B: 2 })).toBe("op A=1 B=2");
  });
});
