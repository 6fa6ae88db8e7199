import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../src/data/safetensors";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-safetensors-"));

const tensors = new Map<string, StoredTensor>([
  ["bytes", { shape: [3], data: new Uint8Array([1, 2, 255]) }],
  ["enc1.conv1.weight", { shape: [2, 1, 3], data: new Float32Array([1, -2, 0.5, 1e-38, 3, -0]) }],
  ["empty", { shape: [0, 4], data: new Float32Array(0) }],
  ["scalar", { shape: [], data: new Float64Array([Math.PI]) }],
  ["step", { shape: [1], data: new BigInt64Array([-(2n ** 62n)]) }],
  ["picked", { shape: [2, 2], data: new Int32Array([-1, 2, 3, 2 ** 31 - 1]) }],
  ["seed", { shape: [2], data: new Uint32Array([7, 2 ** 32 - 1]) }],
]);
const metadata = { format: "pt", model: '{"filters":[16,32]}', note: "w̄ ünï" };

/** A file with this header text and `size` zero bytes of data. */
function file(header: string, size: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

test("what is written is read back, every type, with metadata", () => {
  const path = join(folder, "all.safetensors");
  writeSafetensors({ path, tensors, metadata });
  const read = readSafetensors(path);
  expect(read.metadata).toEqual(metadata);
  expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
  expect(readdirSync(folder)).toEqual(["all.safetensors"]);
});

test("the layout is the format's: aligned header in spaces, aligned data, no gaps", () => {
  const bytes = encodeSafetensors({ tensors, metadata });
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  expect(length % 8).toBe(0);
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  expect(text).toMatch(/^\{.*\} *$/);
  const header: Record<string, { data_offsets: [number, number] }> = JSON.parse(text);
  for (const [name, { data }] of tensors) {
    const [begin, end] = header[name]!.data_offsets;
    expect(begin % data.BYTES_PER_ELEMENT, name).toBe(0);
    expect(end - begin, name).toBe(data.byteLength);
  }
  // The bytes of a known float at its place: 0.5 is 0x3f000000.
  const at = 8 + length + header["enc1.conv1.weight"]!.data_offsets[0] + 8;
  expect([...bytes.subarray(at, at + 4)]).toEqual([0, 0, 0, 0x3f]);
});

test("a view into a larger buffer is written as what it shows", () => {
  const data = new Float32Array([0, 1, 2, 3, 4]).subarray(1, 4);
  const bytes = encodeSafetensors({
    tensors: new Map([["x", { shape: [3], data }]]),
    metadata: {},
  });
  expect(decodeSafetensors(bytes, "f").tensors.get("x")!.data).toEqual(new Float32Array([1, 2, 3]));
});

test("unaligned data from another writer is read", () => {
  const decoded = decodeSafetensors(file(`{"x":${entry(0, 8)}}`, 8), "f");
  expect(decoded.tensors.get("x")).toEqual({ shape: [2], data: new Float32Array(2) });
  expect(decoded.metadata).toEqual({});
});

const whole = encodeSafetensors({ tensors, metadata });
const broken: [string, Uint8Array, RegExp][] = [
  ["empty file", new Uint8Array(0), /0 bytes long/],
  ["not safetensors", new TextEncoder().encode("\x1f\x8b some gzip or other"), /no header/],
  ["zip", new TextEncoder().encode("PK\x03\x04\0\0\0\0PyTorch"), /no header/],
  ["header cut off", whole.slice(0, 60), /header is longer than the file/],
  ["data cut off", whole.slice(0, -1), /ends at byte/],
  ["bytes added", new Uint8Array([...whole, 0]), /1 bytes at the end belong to no tensor/],
  ["not JSON", file("{nonsense}", 0), /not JSON/],
  ["bad UTF-8", file('{"\x80":1}', 0).map((b) => (b === 0xc2 ? 0xff : b)), /not JSON/],
  ["overlap", file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), /b overlaps/],
  ["gap", file(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), /4 bytes before b/],
  ["outside", file(`{"a":${entry(0, 16)}}`, 8), /a ends at byte 16 of the data, only 8/],
  ["size and shape differ", file(`{"a":${entry(0, 8, [3])}}`, 8), /12 bytes, not 8/],
  ["backwards", file(`{"a":${entry(8, 4, [1])}}`, 8), /not -4/],
  ["negative", file(`{"a":${entry(-4, 0, [1])}}`, 0), /malformed offsets/],
  ["fraction", file(`{"a":${entry(0, 4, [0.5, 2])}}`, 4), /malformed shape/],
  ["unknown type", file(`{"a":${entry(0, 4, [2], "BF16")}}`, 4), /type BF16, readable are F64/],
  ["a type that objects inherit", file(`{"a":${entry(0, 4, [2], "toString")}}`, 4), /has type/],
  ["no description", file('{"a":7}', 0), /a has no description/],
  ["metadata not strings", file('{"__metadata__":{"a":1}}', 0), /map of strings/],
];
test.each(broken)("refused with file, cause and remedy: %s", (name, bytes, message) => {
  const path = join(folder, "broken.safetensors");
  writeFileSync(path, bytes);
  const read = () => readSafetensors(path);
  expect(read, name).toThrow(message);
  expect(read, name).toThrow(/broken\.safetensors: .*copy it again/);
});

test("a missing file and an impossible place are user errors of one line", () => {
  expect(() => readSafetensors(join(folder, "none"))).toThrow(/none: no such file/);
  const path = join(folder, "no", "such", "folder");
  expect(() => writeSafetensors({ path, tensors, metadata })).toThrow(/folder does not exist/);
});

test("if one file of a set cannot be written, none is replaced and nothing is left over", () => {
  const inner = mkdtempSync(join(folder, "set-"));
  const good = join(inner, "good");
  writeFileSync(good, "old");
  const bad = join(inner, "missing", "bad");
  const files = [good, bad].map((path) => ({ path, tensors, metadata }));
  expect(() => writeSafetensors(...files)).toThrow();
  expect(readFileSync(good, "utf8")).toBe("old");
  expect(readdirSync(inner)).toEqual(["good"]);
});
