import { expect, test } from "bun:test";
import { join } from "node:path";
import { elements, RANGE_ALIGNMENT } from "../src/core/tensor";
import { readSafetensors } from "../src/data/safetensors_file";
import {
  fromNamed,
  initialise,
  layout,
  type ParameterSpec,
  parameterCount,
  toNamed,
  unetParameters,
} from "../src/nn/parameters";

const specs = unetParameters({ inChannels: 2, filters: [16, 32, 64] });
const shapes = new Map(specs.map(({ name, shape }) => [name, shape.join("×")]));

/** The values of one tensor in a flat buffer. */
function values(list: readonly ParameterSpec[], flat: Float32Array, name: string): Float32Array {
  return toNamed(list, flat).get(name)!.data;
}

test("the default network has the paper's 354,353 parameters", () => {
  expect(parameterCount(specs)).toBe(354_353);
});

test("names are those of the PyTorch module, in its order", () => {
  const blocks = ["enc1", "enc2", "mid", "dec2", "dec1"];
  const layers = blocks.flatMap((b) =>
    ["conv1", "norm1", "conv2", "norm2"].map((l) => `${b}.${l}`),
  );
  const wanted = [...layers, "head"].flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);
  expect(specs.map(({ name }) => name)).toEqual(wanted);
});

test("shapes are (Cout, Cin, kD, kH, kW); the decoder sees skip and upsampled channels", () => {
  expect(shapes.get("enc1.conv1.weight")).toBe("16×2×3×3×3");
  expect(shapes.get("mid.conv2.weight")).toBe("64×64×3×3×3");
  expect(shapes.get("dec2.conv1.weight")).toBe("32×96×3×3×3");
  expect(shapes.get("dec1.conv1.weight")).toBe("16×48×3×3×3");
  expect(shapes.get("dec2.norm1.bias")).toBe("32");
  expect(shapes.get("head.weight")).toBe("1×16×1×1×1");
  expect(shapes.get("head.bias")).toBe("1");
});

test("other widths give other shapes, impossible ones an error", () => {
  const narrow = unetParameters({ inChannels: 3, filters: [8, 24, 40] });
  expect(narrow.find(({ name }) => name === "enc1.conv1.weight")!.shape).toEqual([8, 3, 3, 3, 3]);
  expect(narrow.find(({ name }) => name === "dec1.conv1.weight")!.shape).toEqual([8, 32, 3, 3, 3]);
  for (const bad of [0, -8, 1.5, Number.NaN]) {
    expect(() => unetParameters({ inChannels: 2, filters: [8, bad, 8] }), `${bad}`).toThrow(
      /positive whole/,
    );
  }
});

test("the layout is aligned and leaves no two tensors overlapping", () => {
  const { offsets, total } = layout(specs);
  let end = 0;
  specs.forEach(({ name, shape }, i) => {
    expect(offsets[i]! % RANGE_ALIGNMENT, name).toBe(0);
    expect(offsets[i]!, name).toBeGreaterThanOrEqual(end);
    expect(offsets[i]! - end, name).toBeLessThan(RANGE_ALIGNMENT);
    end = offsets[i]! + elements(shape);
  });
  expect(total).toBeGreaterThanOrEqual(end);
  expect(total % RANGE_ALIGNMENT).toBe(0);
});

test("start weights fill ±1/√fanIn evenly; a group norm starts as the identity", () => {
  const named = toNamed(specs, initialise(specs, 7));
  for (const { name, kind, fanIn } of specs) {
    const { data } = named.get(name)!;
    if (kind === "scale")
      expect(
        data.every((v) => v === 1),
        name,
      ).toBe(true);
    else if (kind === "shift")
      expect(
        data.every((v) => v === 0),
        name,
      ).toBe(true);
    else {
      const bound = 1 / Math.sqrt(fanIn);
      expect(
        data.every((v) => Math.abs(v) <= Math.fround(bound)),
        name,
      ).toBe(true);
      const mean = data.reduce((sum, v) => sum + v, 0) / data.length;
      const square = data.reduce((sum, v) => sum + v * v, 0) / data.length;
      // Five standard errors of the mean (bound/√3n) and of the mean square (bound²·√(4/45n)).
      expect(Math.abs(mean), name).toBeLessThan((5 * bound) / Math.sqrt(3 * data.length));
      const spread = 5 * bound ** 2 * Math.sqrt(4 / 45 / data.length);
      expect(Math.abs(square - bound ** 2 / 3), name).toBeLessThan(spread);
    }
  }
});

test("fan-in is that of the convolution, for its bias too", () => {
  const fanIn = new Map(specs.map((spec) => [spec.name, spec.fanIn]));
  expect(fanIn.get("enc1.conv1.weight")).toBe(54);
  expect(fanIn.get("dec2.conv1.bias")).toBe(96 * 27);
  expect(fanIn.get("head.bias")).toBe(16);
});

test("start weights depend on seed and name, not on the other tensors", () => {
  const flat = initialise(specs, 7);
  expect(initialise(specs, 7)).toEqual(flat);
  expect(initialise(specs, 8)).not.toEqual(flat);
  const reversed = specs.toReversed();
  const again = initialise(reversed, 7);
  for (const { name } of specs) {
    expect(values(reversed, again, name), name).toEqual(values(specs, flat, name));
  }
  const one = values(specs, flat, "enc1.conv2.weight");
  expect(values(specs, flat, "dec1.conv2.weight")).not.toEqual(one); // the same shape and fan-in
});

test("named tensors and the flat buffer convert into each other, the gaps stay zero", () => {
  const flat = initialise(specs, 3);
  const named = toNamed(specs, flat);
  expect([...named.keys()]).toEqual(specs.map(({ name }) => name));
  expect(fromNamed(specs, new Map([...named].toReversed()), "w.safetensors")).toEqual(flat);
  expect(() => toNamed(specs, flat.subarray(1))).toThrow(/flat buffer/);
});

test("the weights that PyTorch wrote fit by name and shape, at both widths", () => {
  const path = join(import.meta.dir, "golden", "golden.safetensors");
  const { tensors } = readSafetensors(path);
  for (const [set, filters] of [
    ["main", [16, 32, 64]],
    ["half_pixel", [8, 16, 32]],
  ] as const) {
    const prefix = `${set}/weights/`;
    const weights = [...tensors].filter(([name]) => name.startsWith(prefix));
    const named = new Map(weights.map(([name, t]) => [name.slice(prefix.length), t]));
    const list = unetParameters({ inChannels: 2, filters });
    const again = toNamed(list, fromNamed(list, named, path));
    expect([...again.keys()], set).toEqual([...named.keys()]);
    for (const [name, { data }] of again)
      expect(data, name).toEqual(named.get(name)!.data as never);
  }
});

test("weights that do not fit the network are refused by tensor", () => {
  const named = () =>
    new Map<string, { shape: readonly number[]; data: ArrayBufferView }>(
      toNamed(specs, initialise(specs, 3)),
    );
  const missing = named();
  missing.delete("mid.norm2.bias");
  expect(() => fromNamed(specs, missing, "w.st")).toThrow("w.st: mid.norm2.bias (64) is missing");
  const extra = named().set("adam.step", { shape: [1], data: new Float32Array(1) });
  expect(() => fromNamed(specs, extra, "w.st")).toThrow("w.st: holds adam.step");
  const shape = [2, 16, 3, 3, 3]; // the right size in another order
  const turned = named();
  turned.set("enc1.conv1.weight", { shape, data: turned.get("enc1.conv1.weight")!.data });
  expect(() => fromNamed(specs, turned, "w.st")).toThrow(
    "w.st: enc1.conv1.weight is 2×16×3×3×3, expected 16×2×3×3×3",
  );
  const double = named().set("head.bias", { shape: [1], data: new Float64Array(1) });
  expect(() => fromNamed(specs, double, "w.st")).toThrow("w.st: head.bias is a Float64Array");
});
