/** The parts of the benchmarks that compute: costs, rows, comparison, files. Nothing here is timed. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseVariant } from "../bench/bench";
import { DispatchClone } from "../bench/clone";
import { rooflineShare } from "../bench/kernels";
import { convolutionLayers } from "../bench/layers";
import { type Recording, RecordingMemory, recordTraining } from "../bench/record";
import { compareReports, comparisonLines } from "../bench/report/compare";
import { replacePart, writeDocs } from "../bench/report/docs";
import { type KernelRow, type Report, readReport, type StepRow } from "../bench/report/schema";
import { table } from "../bench/report/tables";
import { compactShape, RowBook } from "../bench/rows";
import { logSlope } from "../bench/scaling";
import { costOf, totalCost } from "../src/core/cost";
import { UserError } from "../src/core/errors";
import { elements } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import { quantile, spreadOf, stepsOf } from "../src/gpu/stopwatch";
import { unetParameters } from "../src/nn/parameters";
import type { TrainConfig } from "../src/settings/config";
import { makeTrainConfig } from "../src/settings/presets";
import { unetConfig } from "../src/train/state";
import { defaultDevice } from "./test_devices";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-bench-test-"));
const device = await defaultDevice();
const memory = new RecordingMemory(device);
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

const config = makeTrainConfig("paper", { pool: 6, batch: 2, chunk: 2 });
const recording = await recordTraining(memory, config, {});

/** Operations of the direct convolutions of one patch: all, and those of the first layer. */
function convolutions(c: TrainConfig): { all: number; first: number } {
  const level = { enc1: 1, dec1: 1, head: 1, enc2: 2, dec2: 2, mid: 4 } as Record<string, number>;
  const flops = unetParameters(unetConfig(c))
    .filter(({ kind }) => kind === "weight")
    .map(({ name, shape }) => 2 * elements(shape) * (c.patch / level[name.split(".")[0]!]!) ** 3);
  return { all: flops.reduce((sum, n) => sum + n, 0), first: flops[0]! };
}

describe("costs", () => {
  test("every dispatch of an iteration moves bytes and has a finite count of operations", () => {
    for (const d of recording.dispatches) {
      const { flops, bytes } = costOf(d);
      expect(Number.isFinite(flops) && flops >= 0, d.label).toBe(true);
      expect(Number.isFinite(bytes) && bytes > 0, d.label).toBe(true);
    }
  });

  test("the convolutions of an iteration add up: a kernel without `flops` shows here", () => {
    const { all, first } = convolutions(config);
    // Forward for the pool; forward, weight and input gradients for the batch, but none of the input.
    const expected = config.pool * all + config.batch * (3 * all - first);
    const { flops } = totalCost(recording.dispatches);
    expect(flops / expected).toBeGreaterThan(1);
    expect(flops / expected).toBeLessThan(1.03);
  });

  test("the roofline takes the nearer limit, as the controls had it", () => {
    const ceilings = {
      f32Gflops: 100,
      copyVec4Gbs: 10,
      copyF32Gbs: 5,
      copyBufferGbs: 20,
      dispatchMicroseconds: 1,
      submitMicroseconds: 1,
    };
    const usual = { gflops: 100, gbs: 10 };
    expect(rooflineShare({ flops: 1e9, bytes: 1e6 }, 20, ceilings, usual)).toBeCloseTo(0.5);
    expect(rooflineShare({ flops: 0, bytes: 2e8 }, 20, ceilings, usual)).toBeCloseTo(0.5);
    // A machine at half its speed: the same time is all that it could do.
    const slow = { gflops: 50, gbs: 5 };
    expect(rooflineShare({ flops: 1e9, bytes: 1e6 }, 20, ceilings, slow)).toBeCloseTo(1);
    expect(rooflineShare({ flops: 0, bytes: 2e8 }, 20, ceilings, slow)).toBeCloseTo(1);
  });
});

describe("rows", () => {
  const book = new RowBook();
  const rows = book.add(recording);

  test("each distinct dispatch is one row of its own name", () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(rows.length).toBeLessThan(recording.dispatches.length);
    const launches = rows.reduce((sum, row) => sum + row.launches[recording.name]!, 0);
    expect(launches).toBe(recording.dispatches.length);
  });

  test("the same dispatches in another recording add launches, not rows", () => {
    const again: Recording = { ...recording, name: "again" };
    expect(book.add(again)).toEqual([]);
    expect(rows[0]!.launches.again).toBe(rows[0]!.launches[recording.name]);
  });

  test("names are op/kernel and shapes, and can be filtered", () => {
    expect(compactShape([4, 16, 32, 32, 32])).toBe("4×16×32³");
    expect(compactShape([16, 2, 1, 1, 1])).toBe("16×2×1³");
    expect(compactShape([4, 8, 2])).toBe("4×8×2");
    const found = rows.filter(({ id }) => /^topB\/.*6×3 → 2$/.test(id));
    expect(found.length).toBe(1);
  });

  test("a row runs by itself on buffers of its own", async () => {
    const row = rows.find(({ id }) => id.startsWith("topB/"))!;
    const before = memory.allocatedBytes;
    const clone = await DispatchClone.create(memory, row.dispatch);
    const encoder = device.device.createCommandEncoder();
    stepsOf(clone.program).encode(encoder, 3);
    device.submit(encoder.finish(), "clone");
    await device.idle();
    clone.release();
    expect(memory.allocatedBytes).toBe(before);
  });
});

test("layers: every distinct convolution, forward and both gradients, none of the image", () => {
  const layers = convolutionLayers(capabilities(device), config, 4);
  expect(new Set(layers.map(({ id }) => id)).size).toBe(layers.length);
  const first = layers.filter(({ shapes }) => shapes.startsWith("4×2×32³"));
  expect(first.map(({ id }) => id.split(" ")[1])).toEqual(["forward", "dw"]);
  const widest = layers.filter(({ shapes }) => shapes === "4×48×32³ → 4×16×32³, 3³");
  expect(widest.map(({ id }) => id.split(" ")[1])).toEqual(["forward", "dx", "dw"]);
});

const control = { gflops: 100, gbs: 10 };

function kernelRow(id: string, milliseconds: number, changes: Partial<KernelRow> = {}): KernelRow {
  return {
    id,
    op: "conv3d",
    kernel: "k",
    sizes: { N: 4, RELU: true },
    launches: { "paper iteration": 2 },
    flops: 1e9,
    bytes: 1e6,
    milliseconds,
    spread: 0.01,
    control,
    gflops: 1e9 / milliseconds / 1e6,
    gbs: 1 / milliseconds,
    roofline: 0.5,
    compileSeconds: null,
    ...changes,
  };
}

function stepRow(id: string, kernels: readonly (readonly [string, number])[]): StepRow {
  const parts = kernels.map(([label, milliseconds]) => ({
    ...{ label, milliseconds, count: 1, flops: 1e9, bytes: 1e6 },
  }));
  return {
    ...{ id, preset: "paper", patches: 20, spread: 0, control, hostMilliseconds: 1 },
    milliseconds: parts.reduce((sum, k) => sum + k.milliseconds, 0),
    ...{ dispatches: 2, flops: 2e9, bytes: 2e6, plannedBytes: 1, allocatedBytes: 2 },
    kernels: parts,
    timedBy: "timestamps",
  };
}

function report(parts: Partial<Report>): Report {
  return {
    version: 1,
    date: "2026-01-01T00:00:00.000Z",
    adapter: { name: "a", driver: "d", kind: "lavapipe", backend: "vulkan" },
    versions: { bun: "1" },
    cpu: { model: "c", cores: 2 },
    settings: { repetitions: 3 },
    ceilings: {
      f32Gflops: 100,
      copyVec4Gbs: 10,
      copyF32Gbs: 5,
      copyBufferGbs: 20,
      dispatchMicroseconds: 1,
      submitMicroseconds: 1,
    },
    kernels: [],
    unusedOps: [],
    ops: [],
    layers: [],
    steps: [],
    latency: [],
    scaling: [],
    ...parts,
  };
}

describe("comparison", () => {
  test("a slower machine is taken out of the ratio, by the control that bounds the row", () => {
    const before = report({ kernels: [kernelRow("a", 10), kernelRow("b", 10, { flops: 0 })] });
    const slow = { gflops: 50, gbs: 9.9 };
    const after = report({
      kernels: [
        kernelRow("a", 20, { control: slow }),
        kernelRow("b", 20, { flops: 0, control: slow }),
      ],
    });
    const [a, b] = compareReports(before, after).rows;
    expect(a).toMatchObject({ ratio: 2, corrected: 1, drift: -0.5 });
    expect(b!.ratio).toBe(2);
    expect(b!.corrected).toBeCloseTo(1.98);
    const lines = comparisonLines(compareReports(before, after));
    expect(lines.find((line) => / a {2}/.test(line))).toContain("control 50 % slower");
    expect(lines.find((line) => line.endsWith(" b"))).toBeDefined();
    expect(lines.at(-1)).toContain("1 rows moved by more than 5.0 %");
  });

  test("new and gone rows are named, but not parts that were not measured", () => {
    const before = report({
      kernels: [kernelRow("a", 1), kernelRow("old", 1)],
      steps: [stepRow("step", [["conv3d/x", 5]])],
    });
    const after = report({ kernels: [kernelRow("a", 1), kernelRow("new", 1)] });
    const { added, gone, rows } = compareReports(before, after);
    expect([added, gone, rows.length]).toEqual([["new"], ["old"], 1]);
  });

  test("steps compare op by op, whatever their kernels are called", () => {
    const before = report({
      steps: [
        stepRow("s", [
          ["conv3d/old", 6],
          ["conv3d/pack", 2],
        ]),
      ],
    });
    const after = report({ steps: [stepRow("s", [["conv3d/new", 4]])] });
    const { rows } = compareReports(before, after);
    expect(rows.map(({ id, ratio }) => [id, ratio])).toEqual([
      ["s", 0.5],
      ["s: conv3d", 0.5],
    ]);
  });

  test("another adapter or processor is a warning", () => {
    const other = report({ cpu: { model: "x", cores: 4 } });
    expect(compareReports(other, report({})).warnings).toEqual(["before: 4 cores of x"]);
  });
});

describe("files", () => {
  test("a report comes back from its file as it was", async () => {
    const file = join(folder, "report.json");
    const full = report({
      kernels: [kernelRow("a", 1, { variant: "tiled", compileSeconds: 0.5 })],
      unusedOps: ["relu"],
      steps: [stepRow("s", [["conv3d/x", 5]])],
      latency: [
        {
          ...{ id: "paper first step cold", cache: "cold", openSeconds: 0.1 },
          ...{ createSeconds: 1, firstStepSeconds: 20, steadyStepSeconds: 2 },
        },
      ],
      scaling: [
        {
          ...{ id: "batch", variable: "patches", what: "steps" },
          points: [1, 2].map((n) => ({ label: `${n}`, value: n, flops: n, seconds: n, bytes: n })),
          ...{ timeSlope: 1, memorySlope: 1, workSlope: 1 },
        },
      ],
    });
    await Bun.write(file, JSON.stringify(full));
    expect(readReport(file)).toEqual(full);
  });

  test("another version, or no report, is a user's error that says what to do", async () => {
    const file = join(folder, "old.json");
    await Bun.write(file, JSON.stringify({ ...report({}), version: 0 }));
    expect(() => readReport(file)).toThrow(/old\.json: version is 0: .*measure again/);
    expect(() => readReport(file)).toThrow(UserError);
    expect(() => readReport(join(folder, "none.json"))).toThrow(/none\.json: cannot be read/);
  });

  test("docs are replaced between their markers only", () => {
    const text = "a\n<!-- bench: steps -->\nold\n<!-- end: steps -->\nb";
    const replaced = replacePart(text, "steps", table(["x", "y"], [["p", 1]]));
    expect(replaced).toBe(
      "a\n<!-- bench: steps -->\n\n| x | y |\n|---|--:|\n| p | 1 |\n\n<!-- end: steps -->\nb",
    );
    expect(() => replacePart(text, "kernels", "")).toThrow("<!-- bench: kernels -->");
  });

  test("tables of another adapter go between markers of its kind, or nowhere", async () => {
    const file = join(folder, "page.md");
    const page = "<!-- bench: ceilings -->\n<!-- end: ceilings -->\n";
    await Bun.write(file, page);
    const other = report({});
    const gpu = { ...other, adapter: { ...other.adapter, kind: "hardware" } };
    expect(writeDocs(gpu, file)).toEqual(["ceilings hardware"]);
    expect(await Bun.file(file).text()).toBe(page);
    const marked = page.replaceAll(": ceilings ", ": ceilings hardware ");
    await Bun.write(file, page + marked);
    expect(writeDocs(gpu, file)).toEqual([]);
    const text = await Bun.file(file).text();
    expect(text.startsWith(page)).toBe(true);
    expect(text).toContain("| ceiling | measured |");
  });
});

test("medians, quartiles and slopes", () => {
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([1, 2], 0.5)).toBe(1.5);
  expect(spreadOf([1, 2, 3, 4, 5])).toBeCloseTo(2 / 3);
  const cubic = [1, 2, 4].map((x) => [x, 5 * x ** 3] as const);
  expect(logSlope(cubic)).toBeCloseTo(3);
});

test("--variant wants pick=name", () => {
  expect(parseVariant("conv3d=tiled")).toEqual(["conv3d", "tiled"]);
  expect(() => parseVariant("tiled")).toThrow(/--variant tiled: expected pick=name/);
});
