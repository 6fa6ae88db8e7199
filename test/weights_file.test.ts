/** A weights file is used only if its checksum and what it says of its model are right. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/core/errors";
import { Philox } from "../src/core/random";
import {
  checksummed,
  compareChecksum,
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from "../src/data/safetensors";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors_file";
import { weightsOf } from "../src/infer/model";
import { modelOf, VERSION, weightsMetadata } from "../src/infer/model_info";
import { biasFor } from "../src/run/named_weights";
import { loadWeights } from "../src/run/weights_file";
import type { BiasMode } from "../src/settings/names";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { CRAFTED_MODELS, modelText } from "./crafted_models";
import { MODEL, weightsContents, writeVisits } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-weights-"));
afterAll(() => rmSync(folder, { recursive: true }));
const mask = join(folder, "mask.nii.gz");
let visits: string[];
beforeAll(async () => {
  visits = await writeVisits(folder);
});
const predict = (weights: string) => [...visits, "-w", weights, "-o", mask, "--tune", "off"];

const { tensors, metadata } = weightsContents();
const whole = join(folder, "whole.safetensors");
writeSafetensors({ path: whole, tensors, metadata });
const bytes = new Uint8Array(readFileSync(whole));
const NEWER = `voxgrad-${VERSION + 1}`;

/** The model in the metadata of a file that each version of the format has left, as it stood there. */
const LEFT: Readonly<Record<number, string>> = {
  1:
    '{"unet":{"inChannels":2,"filters":[8,16,32],"groups":8,"epsilon":0.00001,' +
    '"alignCorners":true,"recompute":false},"spacing":1,"normalisation":"volume",' +
    '"difference":false,"patch":32,"stride":24,"windowWeights":"uniform","mirror":""}',
  2:
    '{"unet":{"inChannels":3,"filters":[8,8,8],"groups":8,"epsilon":0.00001,' +
    '"alignCorners":true,"recompute":false},"spacing":2,"normalisation":"volume",' +
    '"difference":true,"patch":16,"stride":12,"windowWeights":"gaussian","mirror":"y"}',
};

describe("the checksum", () => {
  test("is stable: order, alignment and a rewrite by another program do not count", () => {
    const one = new Map<string, StoredTensor>([
      ["b", { shape: [2], data: new Float32Array([1, 2]) }],
      ["a", { shape: [3], data: new Uint8Array([1, 2, 3]) }],
    ]);
    const text = (parts: Uint8Array[]) => new TextDecoder().decode(Buffer.concat(parts));
    const about = { tensors: one, metadata: { y: "ü", x: "1" } };
    const other = { tensors: new Map([...one].toReversed()), metadata: { x: "1", y: "ü" } };
    expect(text(checksummed(about))).toBe(text(checksummed(other)));
    expect(text(checksummed(about))).toStartWith(
      '[[["x","1"],["y","ü"]],[["a","U8",[3]],["b","F32",[2]]]]\n\x01\x02\x03',
    );
  });

  test("a page compares it by WebCrypto", async () => {
    const contents = decodeSafetensors(bytes, "w");
    const joined = Buffer.concat(checksummed(contents));
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", joined)).toString("hex");
    expect(contents.sha256).toBe(digest);
    compareChecksum(contents, digest, "w");
    expect(() => compareChecksum(contents, "0".repeat(64), "w.st")).toThrow(
      /w\.st: damaged: .*copy it again/,
    );
  });

  const python = ["python3", "/usr/bin/python3"].find((name) => Bun.which(name));
  test.if(python !== undefined)("is what the documentation says: Python computes the same", () => {
    const script = join(import.meta.dir, "golden", "checksum.py");
    const odd = join(folder, "odd.safetensors");
    const more = { ...metadata, 'ü"\\\n': "\u2028 \x7f 😀" };
    writeSafetensors({ path: odd, tensors, metadata: more });
    const run = (path: string) => Bun.spawnSync([python!, script, path]);
    for (const path of [whole, odd]) expect(run(path).stdout.toString(), path).toBe("OK\n");
    const damaged = join(folder, "damaged");
    writeFileSync(damaged, flipped(8 * (bytes.length - 2)));
    expect(run(damaged).exitCode).not.toBe(0);
  });

  function flipped(bit: number): Uint8Array {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  }

  test("no flipped bit of a weights file is used: one in each byte of the header, 3000 of the data", () => {
    const path = join(folder, "flipped.safetensors");
    const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const random = new Philox(3);
    const bits = Array.from({ length: header }, (_, byte) => 8 * byte + random.int(8));
    for (let i = 0; i < 3000; i++) bits.push(8 * header + random.int(8 * (bytes.length - header)));
    const used = bits.filter((bit) => {
      writeFileSync(path, flipped(bit));
      try {
        loadWeights(path);
        return true;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        expect(error.message).toStartWith(`${path}: `);
        return false;
      }
    });
    expect(used).toEqual([]);
  });

  test("predict: a flipped bit is one line; an older file without checksum is used with a note", async () => {
    const damaged = join(folder, "bit.safetensors");
    writeFileSync(damaged, flipped(8 * (bytes.length - 100) + 3));
    await expectRefusalOf(/bit\.safetensors: damaged: .*SHA-256/, "predict", ...predict(damaged));
    const old = join(folder, "old.safetensors");
    const model = { ...MODEL, difference: undefined, windowWeights: undefined, mirror: undefined };
    const first = { format: "voxgrad-1", model: JSON.stringify(model) };
    writeFileSync(old, encodeSafetensors({ tensors, metadata: first }));
    const { err, code } = await runDocumented("predict", ...predict(old));
    expect(code).toBe(0);
    expect(err).toMatch(
      /old\.safetensors: an earlier version of voxgrad wrote it, without a check/,
    );
    expect(err).toMatch(/windows of 8³ every 6 voxels, uniform\n/);
    const now = await runDocumented("predict", ...predict(whole));
    expect(now.code).toBe(0);
    expect(now.err).not.toContain("checksum");
  });

  test("golden weights of PyTorch, without a checksum, are read", () => {
    const golden = readSafetensors(join(import.meta.dir, "golden", "golden.safetensors"));
    expect(golden.sha256).toBeUndefined();
  });
});

describe("what a file says of its model", () => {
  test.each(CRAFTED_MODELS)("refused in one line, with the file: %s", (_, text, message) => {
    const path = join(folder, "crafted.safetensors");
    const about: Record<string, string> = { format: metadata.format! };
    if (text !== undefined) about.model = text;
    writeSafetensors({ path, tensors, metadata: about });
    // Without a result: a failure must not print thousands of weights.
    const load = () => void loadWeights(path);
    expect(load).toThrow(UserError);
    expect(load).toThrow(message);
    expect(load).toThrow(/^[^\n]*crafted\.safetensors: [^\n]*$/);
  });

  test("a newer version, another kind of file and a lost checksum are refused", () => {
    const load = (format = metadata.format!, checksum = true) =>
      weightsOf(
        {
          tensors,
          metadata: { ...metadata, format },
          sha256: checksum ? "checked before" : undefined,
        },
        "w.st",
      ).info;
    expect(load()).toEqual(MODEL);
    expect(() => load(NEWER)).toThrow(/w\.st: a newer version of voxgrad wrote it.*use that/);
    expect(() => load("voxgrad-999999999999")).toThrow(/names no voxgrad model/);
    const expected = `names no voxgrad model (format pt, expected voxgrad-${VERSION})`;
    expect(() => load("pt")).toThrow(expected);
    expect(() => load("voxgrad-2", false)).toThrow(
      /w\.st: holds no checksum, as all files of form/,
    );
  });

  test("files of every version are read; the newest is what this program writes", () => {
    const remedy = "freeze the model of a file of it in LEFT";
    const versions = Array.from({ length: VERSION }, (_, i) => `${i + 1}`);
    expect(Object.keys(LEFT), `VERSION is ${VERSION}: ${remedy}`).toEqual(versions);
    for (const [version, model] of Object.entries(LEFT)) {
      const info = modelOf({ model }, Number(version), `a file of voxgrad-${version}`);
      expect(info, version).toMatchObject(JSON.parse(model));
    }
    // A field more or less in the newest needs a new VERSION: programs that have this one read it too.
    const newest = JSON.parse(LEFT[VERSION]!);
    const now = weightsMetadata(modelOf({ model: LEFT[VERSION]! }, VERSION, "the newest"));
    expect(JSON.parse(now.model!)).toEqual(newest);
  });

  test("predict: endless windows, gigabytes of voxels and a newer file end in one line", async () => {
    const path = join(folder, "crafted.safetensors");
    for (const [changed, message] of [
      [
        { model: modelText({ stride: 0 }) },
        /crafted\.safetensors: its model: stride is 0: expected/,
      ],
      [{ model: modelText({ spacing: 0.001 }) }, /its model: spacing is 0\.001: expected/],
      [{ model: "{" }, /its model: not valid JSON/],
      [{ format: NEWER }, /a newer version of voxgrad wrote it/],
      [{ validation: "[]" }, /its validation results: it is \[\]: expected object/],
    ] as const) {
      writeSafetensors({ path, tensors, metadata: { ...metadata, ...changed } });
      await expectRefusalOf(message, "predict", ...predict(path));
    }
  });
});

test("predict prepares a pair as the weights were trained, and says where an option differs", () => {
  const trained = (path: string, bias?: BiasMode) => ({ path, info: { ...MODEL, bias } });
  const said: string[] = [];
  const note = (line: string) => said.push(line);
  const [old, auto, off] = [trained("old"), trained("a", "auto"), trained("b", "off")];
  expect(biasFor([old], undefined, note)).toBe("auto");
  expect(biasFor([old, off, off], undefined, note)).toBe("off");
  expect(biasFor([auto, old], undefined, note)).toBe("auto");
  expect(biasFor([auto, old], "auto", note)).toBe("auto");
  expect(said).toEqual([]);
  expect(biasFor([auto, off], "off", note)).toBe("off");
  expect(said).toEqual(["--bias off: a was trained with --bias auto"]);
  expect(() => biasFor([auto, off], undefined, note)).toThrow(
    /^b was trained with --bias off, a with --bias auto: .*; give --bias, or weights that agree$/,
  );
});
