/** Weights files that another program could have made: headers, tensors and models that cannot be. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StoredTensor } from "../../src/data/safetensors";
import { writeSafetensors } from "../../src/data/safetensors_file";
import { VERSION } from "../../src/infer/model_info";
import { loadWeights } from "../../src/run/weights_file";
import { CRAFTED_MODELS } from "../crafted_models";
import { weightsContents } from "../weights_rig";
import { mustRefuse } from "./judge";
import type { Case, Context, Part } from "./part";

const NAME = "crafted.safetensors";

/** A file of a header as text, or of a length of it that is not true, and 64 bytes of data. */
function file(header: string, length = BigInt(Buffer.byteLength(header))): Uint8Array {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length);
  return Buffer.concat([start, Buffer.from(header), new Uint8Array(64)]);
}

const tensor = (fields: object, rest: object = {}) =>
  file(
    JSON.stringify({ a: { dtype: "F32", shape: [16], data_offsets: [0, 64], ...fields }, ...rest }),
  );

/** Bytes that are no weights file; the refusal says the second. */
const FORMS: readonly (readonly [id: string, bytes: Uint8Array, says: RegExp])[] = [
  ["header of length 0", file("", 0n), /no header/],
  ["header of 2⁶³ bytes", file("{}", 2n ** 63n), /no header/],
  ["header longer than the file", file("{}", 90_000_000n), /longer than the file/],
  ["header not JSON", file("{a:"), /not JSON/],
  ["header not UTF-8", Buffer.concat([file("{}", 4n), Buffer.from([0xff, 0xfe])]), /not JSON/],
  ["20,000 brackets", file(`{"a":${"[".repeat(20_000)}`), /not JSON/],
  ["metadata of numbers", file('{"__metadata__":{"format":1}}'), /map of strings/],
  ["metadata a list", file('{"__metadata__":[]}'), /map of strings/],
  ["a tensor without description", file('{"a":7}'), /no description/],
  ["bfloat16", tensor({ dtype: "BF16", shape: [32] }), /type BF16/],
  ["dtype constructor", tensor({ dtype: "constructor" }), /type constructor/],
  ["a negative shape", tensor({ shape: [-16] }), /malformed shape/],
  ["half an element", tensor({ shape: [1.5] }), /malformed shape/],
  ["2⁶⁰ elements", tensor({ shape: [2 ** 30, 2 ** 30] }), /malformed|bytes, not 64/],
  ["offsets reversed", tensor({ data_offsets: [64, 0] }), /bytes, not -64/],
  ["offsets beyond the data", tensor({ data_offsets: [64, 128] }), /belong to no tensor|only 64/],
  [
    "overlapping tensors",
    tensor({}, { b: { dtype: "F32", shape: [8], data_offsets: [0, 32] } }),
    /overlaps/,
  ],
  ["data of no tensor", file("{}"), /belong to no tensor/],
];

type Contents = ReturnType<typeof weightsContents>;

/** Files in order, whose contents are no network. */
const CONTENTS: readonly (readonly [id: string, change: (of: Contents) => object, says: RegExp])[] =
  [
    ["no tensors", () => ({ tensors: new Map() }), /enc1\.conv1\.weight/],
    ["a tensor missing", without("mid.conv1.bias"), /mid\.conv1\.bias/],
    [
      "a tensor more",
      ({ tensors }) => ({ tensors: new Map([...tensors, ["more", one()]]) }),
      /more/,
    ],
    ["a tensor of another shape", changed("head.bias", { shape: [1, 1] }), /head\.bias/],
    ["a tensor of bytes", changed("head.bias", one()), /head\.bias/],
    ["a weight NaN", first("mid.conv1.weight", Number.NaN), /1 of 432 weights that are NaN/],
    ["a weight infinite", first("head.weight", Number.NEGATIVE_INFINITY), /NaN or infinite/],
    ["a newer format", about({ format: `voxgrad-${VERSION + 1}` }), /newer version/],
    ["another program's", about({ format: "pt" }), /names no voxgrad model/],
    ["results that are a list", about({ validation: "[]" }), /validation results/],
    ["results without patients", about({ validation: '{"thresholds":7}' }), /validation results/],
  ];

function one(): StoredTensor {
  return { shape: [1], data: new Uint8Array(1) };
}

function without(name: string) {
  return ({ tensors }: Contents) => ({
    tensors: new Map([...tensors].filter(([n]) => n !== name)),
  });
}

function changed(name: string, change: object) {
  return ({ tensors }: Contents) => {
    const tensorOf = { ...tensors.get(name)!, ...change };
    return { tensors: new Map([...tensors, [name, tensorOf]]) };
  };
}

function first(name: string, value: number) {
  return (of: Contents) => {
    const data = (of.tensors.get(name)!.data as Float32Array).with(0, value);
    return changed(name, { data })(of);
  };
}

function about(change: Record<string, string>) {
  return ({ metadata }: Contents) => ({ metadata: { ...metadata, ...change } });
}

export const metadata: Part = {
  name: "metadata",
  title: "weights files of crafted headers, tensors and models",
  seconds: 60,
  cases: ({ folder }: Context): Case[] => {
    const path = join(folder, NAME);
    const refusal = (id: string, write: () => void, says: RegExp): Case => ({
      id,
      run: () => {
        write();
        const line = new RegExp(`${NAME}: [^\n]*(?:${says.source})`);
        return mustRefuse(() => loadWeights(path), line);
      },
    });
    const save = (contents: object) =>
      writeSafetensors({ path, ...weightsContents(), ...contents });
    const { metadata: own } = weightsContents();
    const models = CRAFTED_MODELS.map(([id, model, says]) => {
      const { model: _, ...others } = own;
      const crafted = model === undefined ? others : { ...others, model };
      return refusal(`model: ${id}`, () => save({ metadata: crafted }), says);
    });
    return [
      ...FORMS.map(([id, bytes, says]) => refusal(id, () => writeFileSync(path, bytes), says)),
      ...CONTENTS.map(([id, change, says]) =>
        refusal(id, () => save(change(weightsContents())), says),
      ),
      ...models,
    ];
  },
};
