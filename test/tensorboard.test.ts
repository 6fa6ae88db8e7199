/** TensorBoard event files: read back by a decoder written from the formats, and by TensorBoard where it is installed. */
import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRunFolder, readMetrics } from "../src/run/run_folder";
import { train } from "../src/run/train";
import { makeTrainConfig } from "../src/settings/presets";
import { crc32c } from "../src/tensorboard/crc32c";
import { EventFile } from "../src/tensorboard/event_file";
import { writeCohort } from "./faults/cohort";
import { once } from "./once";
import { defaultDevice } from "./test_devices";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-tensorboard-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** One bit at a time, from the definition in RFC 3720. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}

const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** The payloads of TFRecords. @throws where a checksum is wrong, or a record is cut off */
function records(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(slowCrc(bytes.subarray(at, at + 8))));
    const payload = bytes.subarray(at + 12, at + 12 + length);
    expect(payload.length).toBe(length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(slowCrc(payload)));
    found.push(payload);
    at += 16 + length;
  }
  return found;
}

type Field = number | Buffer;

/** The fields of a protobuf message, by number; varints as numbers, all else as bytes. */
function fields(bytes: Buffer): Map<number, Field[]> {
  const found = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [key >>> 3, key & 7];
    const value = wire === 0 ? varint() : take(wire === 1 ? 8 : wire === 5 ? 4 : varint());
    found.set(field, [...(found.get(field) ?? []), value]);
  }
  return found;
}

interface Decoded {
  readonly wallTime: number;
  readonly step: number;
  readonly version?: string;
  readonly starts: boolean;
  readonly scalars: Readonly<Record<string, number>>;
  readonly images: Readonly<Record<string, { width: number; height: number; png: Buffer }>>;
}

function decode(payload: Buffer): Decoded {
  const event = fields(payload);
  const bytes = (number: number) => event.get(number)?.[0] as Buffer | undefined;
  const scalars: Record<string, number> = {};
  const images: Record<string, { width: number; height: number; png: Buffer }> = {};
  for (const value of fields(bytes(5) ?? Buffer.alloc(0)).get(1) ?? []) {
    const of = fields(value as Buffer);
    const tag = (of.get(1)![0] as Buffer).toString("utf8");
    const [scalar, image] = [of.get(2)?.[0], of.get(4)?.[0]];
    if (scalar !== undefined) scalars[tag] = (scalar as Buffer).readFloatLE();
    if (image === undefined) continue;
    const [height, width, png] = [1, 2, 4].map((n) => fields(image as Buffer).get(n)![0]!);
    images[tag] = { width: width as number, height: height as number, png: png as Buffer };
  }
  return {
    wallTime: bytes(1)!.readDoubleLE(),
    step: (event.get(2)?.[0] as number | undefined) ?? 0,
    version: bytes(3)?.toString("utf8"),
    starts: bytes(7) !== undefined && fields(bytes(7)!).get(1)?.[0] === 1,
    ...{ scalars, images },
  };
}

/** The event files of a folder, oldest first. */
const eventFiles = (path: string): string[] =>
  readdirSync(path)
    .filter((name) => name.startsWith("events.out.tfevents."))
    .sort()
    .map((name) => join(path, name));

/** As TensorBoard does: what begins anew drops what came before at its step and later. */
function eventsOf(path: string): Decoded[] {
  let all: Decoded[] = [];
  for (const file of eventFiles(path)) {
    const [first, second, ...rest] = records(readFileSync(file)).map(decode);
    expect(first!.version).toBe("brain.Event:2");
    expect(second!.starts).toBe(true);
    all = [...all.filter(({ step }) => step < second!.step), ...rest];
  }
  return all;
}

test("CRC-32C: the values of RFC 3720", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  for (let n = 0; n < 70; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) & 255);
    expect(crc32c(bytes), `${n} bytes`).toBe(slowCrc(bytes));
  }
});

test("numbers, names and pictures come back as they were written", () => {
  const file = EventFile.begin(folder, 0);
  const png = Buffer.from("no picture, 25 bytes long");
  const values = new Map([["a/b w̄", -0.1]]);
  file.append(2 ** 40, { kind: "scalars", values });
  const pictures = new Map([["Ω.1", { width: 700, height: 3, png }]]);
  file.append(7, { kind: "pictures", values: pictures });
  const [first, , scalars, drawn] = records(readFileSync(file.path)).map(decode);
  expect(Math.abs(first!.wallTime - Date.now() / 1000)).toBeLessThan(60);
  expect([scalars!.step, scalars!.scalars]).toEqual([2 ** 40, { "a/b w̄": Math.fround(-0.1) }]);
  expect([drawn!.step, drawn!.images]).toEqual([7, { "Ω.1": { width: 700, height: 3, png } }]);
  rmSync(file.path);
});

const FROM_TENSORBOARD = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance=dict(scalars=0, images=0)).Reload()
print(json.dumps(dict(
    scalars={t: [[e.step, e.value] for e in a.Scalars(t)] for t in a.Tags()["scalars"]},
    images={t: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in a.Images(t)] for t in a.Tags()["images"]})))
`;
const hasTensorboard =
  spawnSync("python3", ["-c", "from tensorboard.backend.event_processing import event_accumulator"])
    .status === 0;

/** A run of 20 iterations that was ended at 12 or so, after its checkpoint at 10, and gone on with. */
const resumedRun = once(async () => {
  const device = await defaultDevice();
  const [data, out] = [join(folder, "data"), join(folder, "run")];
  await writeCohort(data, 3);
  const config = makeTrainConfig("small", {
    ...{ filters: [4, 8, 8], groups: 4, patch: 16, stride: 12, pool: 4, batch: 2 },
    ...{ iterations: 20, reportEvery: 2, validateEvery: 0.5, tensorboard: true },
  });
  const request = { config, data, val: ["p01"], tune: "off", tuneSeconds: 1 } as const;
  // The disk fails it: no checkpoint is saved after the one at 10.
  const observer = {
    note: () => {},
    onMetrics: ({ iteration }: { iteration: number }) => {
      if (iteration === 14) throw new Error("the power is gone");
    },
  };
  await expect(train(device, { ...request, out }, observer)).rejects.toThrow("the power is gone");
  await train(device, { ...request, resumed: openRunFolder(out) }, { note: () => {} });
  device.destroy();
  return out;
});

test("a run that was gone on with has the steps of metrics.jsonl, each once", async () => {
  const run = await resumedRun();
  expect(eventFiles(run).length).toBe(2);
  const older = records(readFileSync(eventFiles(run)[0]!)).map(decode);
  expect(older.at(-1)!.step).toBeGreaterThan(10); // and not in the outcome:
  const events = eventsOf(run);
  const of = (tag: string) =>
    events.flatMap(({ step, scalars }) => (tag in scalars ? [[step, scalars[tag]!]] : []));
  const lines = readMetrics({ path: run });
  const kept = (key: "loss" | "diceMomentum" | "learningRate") =>
    lines.flatMap((l) => (l[key] === undefined ? [] : [[l.iteration, Math.fround(l[key])]]));
  expect(kept("loss").map(([step]) => step)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  expect(of("train/loss")).toEqual(kept("loss"));
  expect(of("train/learning rate")).toEqual(kept("learningRate"));
  expect(of("validation/Dice w̄")).toEqual(kept("diceMomentum"));
  expect(of("patients/Dice w̄ of p01").map(([step]) => step)).toEqual([10, 20]);
  const images = events.flatMap(({ step, images: { p01 } }) => (p01 ? [{ step, ...p01 }] : []));
  expect(images.map(({ step }) => step)).toEqual([10, 20]);
  expect(Buffer.compare(images[1]!.png, readFileSync(join(run, "p01.png")))).toBe(0);
  expect(images[1]!.width).toBeGreaterThan(images[1]!.height / 4);
}, 300_000);

const without = hasTensorboard ? "" : " (python3 has no tensorboard)";
test.skipIf(!hasTensorboard)(
  `TensorBoard reads the same${without}`,
  async () => {
    const run = await resumedRun();
    const { stdout, stderr } = spawnSync("python3", ["-c", FROM_TENSORBOARD, run]);
    const seen = JSON.parse(stdout.toString() || JSON.stringify(stderr.toString()));
    const lines = readMetrics({ path: run }).filter(({ loss }) => loss !== undefined);
    expect(seen.scalars["train/loss"]).toEqual(
      lines.map(({ iteration, loss }) => [iteration, Math.fround(loss!)]),
    );
    const png = readFileSync(join(run, "p01.png"));
    const size = [png.readUInt32BE(16), png.readUInt32BE(20), png.length];
    expect(seen.images.p01.at(-1)).toEqual([20, ...size]);
  },
  300_000,
);
