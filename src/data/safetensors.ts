import { UserError } from "../core/errors";

/**
 * The safetensors format (https://huggingface.co/docs/safetensors), bytes to tensors and back: eight
 * bytes header length, a JSON header, then the raw little-endian tensors without gaps. Nothing here
 * knows of files (safetensors_file.ts does): a browser page reads weights with it.
 */

export type TensorData =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | Uint8Array;

/** A named array in row-major order; the class of `data` decides the stored type. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** The contents of one file. Order of `tensors` is kept among tensors of one element size. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the file says the SHA-256 of its contents is (`checksummed`), in hex; many say nothing. */
  readonly sha256?: string;
}

/** Hex SHA-256 of bytes that follow each other. */
export type Sha256 = (parts: readonly Uint8Array[]) => string;

/** Where the checksum stands in the file's metadata; other readers take it for a remark. */
const CHECKSUM = "sha256";

const TYPES = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U32: Uint32Array,
  U8: Uint8Array,
} as const;
type TypeName = keyof typeof TYPES;

/** The format's own limit on the length of the header, in bytes. */
const MAX_HEADER = 100_000_000;

const volume = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

function typeName(name: string, data: TensorData): TypeName {
  for (const key of Object.keys(TYPES) as TypeName[]) if (data instanceof TYPES[key]) return key;
  throw new TypeError(`safetensors: ${name} has an unsupported array type`);
}

/**
 * What a file's checksum is of. First a line of JSON without spaces: metadata as [key, value] and tensors
 * as [name, type, shape], both by name; then the bytes of the tensors in that order. Neither the order
 * in the file nor its alignment counts: it stays true when another program writes the same contents.
 */
export function checksummed({ tensors, metadata }: Safetensors): Uint8Array[] {
  const byName = <T>(entries: Iterable<readonly [string, T]>) =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const sorted = byName(tensors);
  const about = [
    byName(Object.entries(metadata)),
    sorted.map(([name, { shape, data }]) => [name, typeName(name, data), shape]),
  ];
  const bytes = sorted.map(([, { data }]) => bytesOf(data));
  return [new TextEncoder().encode(`${JSON.stringify(about)}\n`), ...bytes];
}

/**
 * Compares what a file says of its contents with their SHA-256.
 * @param digest hex SHA-256 of `checksummed(contents)`
 * @throws UserError when they differ
 */
export function compareChecksum({ sha256 }: Safetensors, digest: string, file: string): void {
  if (sha256 === undefined || sha256 === digest) return;
  throw new UserError(
    `${file}: damaged: its contents are not those that it was written with (SHA-256 ` +
      `${digest.slice(0, 8)}…, expected ${sha256.slice(0, 8)}…); copy it again, or use another file`,
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: TensorData): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The bytes of a file that holds `tensors`, data aligned to 8 bytes; with `sha256`, its checksum too. */
export function encodeSafetensors(contents: Safetensors, sha256?: Sha256): Uint8Array {
  const { tensors } = contents;
  const checksum = sha256 && { [CHECKSUM]: sha256(checksummed(contents)) };
  const metadata = { ...contents.metadata, ...checksum };
  // Wide elements first, so that each tensor is aligned to its own element size.
  const entries = [...tensors].sort(
    ([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  );
  const header: [string, unknown][] = [["__metadata__", metadata]];
  let offset = 0;
  for (const [name, { shape, data }] of entries) {
    if (name === "__metadata__") throw new TypeError("safetensors: __metadata__ is reserved");
    if (volume(shape) !== data.length) {
      throw new RangeError(`safetensors: ${name} is ${shape.join("×")}, got ${data.length} values`);
    }
    const dataOffsets = [offset, offset + data.byteLength];
    header.push([name, { dtype: typeName(name, data), shape, data_offsets: dataOffsets }]);
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + offset).fill(0x20, 8, 8 + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  let at = 8 + length;
  for (const [, { data }] of entries) {
    bytes.set(bytesOf(data), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * The tensors in `bytes`; `file` is only named in messages. Whether they are those that were written
 * `compareChecksum` tells.
 * @throws UserError if the bytes are not a complete, well-formed safetensors file, or hold a type
 * other than F64, F32, I64, I32, U32 and U8.
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): Safetensors {
  const fail = (found: string): never => {
    throw new UserError(
      `${file}: not a usable safetensors file (${found}); it may be cut off or of another kind: ` +
        "copy it again, or name another checkpoint",
    );
  };
  const { entries, dataStart, ...header } = readHeader(bytes, fail);
  const { [CHECKSUM]: sha256, ...metadata } = header.metadata;
  const placed = entries.map(([name, value]) => ({ name, ...readEntry(name, value, fail) }));
  const size = bytes.length - dataStart;
  let end = 0;
  for (const { name, offsets } of placed.toSorted((a, b) => a.offsets[0] - b.offsets[0])) {
    if (offsets[0] < end) fail(`${name} overlaps another tensor`);
    if (offsets[0] > end) fail(`${offsets[0] - end} bytes before ${name} belong to no tensor`);
    end = offsets[1];
    if (end > size) fail(`${name} ends at byte ${end} of the data, only ${size} are there`);
  }
  if (end !== size) fail(`${size - end} bytes at the end belong to no tensor`);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, offsets } of placed) {
    // A copy, because the data in the file need not be aligned for a typed array.
    const part = new Uint8Array(bytes.subarray(dataStart + offsets[0], dataStart + offsets[1]));
    tensors.set(name, { shape, data: new TYPES[dtype](part.buffer) });
  }
  return { tensors, metadata, sha256 };
}

type Fail = (found: string) => never;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function readHeader(bytes: Uint8Array, fail: Fail) {
  if (bytes.length < 8) return fail(`${bytes.length} bytes long`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER || bytes[8] !== 0x7b) return fail("no header at its start");
  if (8 + length > bytes.length) return fail("the header is longer than the file");
  let header: unknown;
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)),
    );
  } catch {
    return fail("its header is not JSON");
  }
  if (!isObject(header)) return fail("its header is not an object");
  const { __metadata__: metadata = {}, ...rest } = header;
  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    return fail("__metadata__ is not a map of strings");
  }
  const entries = Object.entries(rest);
  return { entries, metadata: metadata as Record<string, string>, dataStart: 8 + length };
}

function readEntry(name: string, value: unknown, fail: Fail) {
  if (!isObject(value)) return fail(`${name} has no description`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(TYPES, dtype)) {
    return fail(`${name} has type ${dtype}, readable are ${Object.keys(TYPES).join(", ")}`);
  }
  const isCounts = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!isCounts(shape)) return fail(`${name} has a malformed shape`);
  const type = dtype as TypeName;
  if (!isCounts(offsets) || offsets.length !== 2) return fail(`${name} has malformed offsets`);
  const [begin, end] = offsets as [number, number];
  const wanted = volume(shape) * TYPES[type].BYTES_PER_ELEMENT;
  if (end - begin !== wanted) {
    return fail(
      `${name} is ${shape.join("×")} ${dtype}, that is ${wanted} bytes, not ${end - begin}`,
    );
  }
  return { dtype: type, shape: shape as readonly number[], offsets: [begin, end] as const };
}
