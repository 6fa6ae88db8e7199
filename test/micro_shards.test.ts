/** Micro-shards: any number of processes that share them gets the same bits, resumed or not. */
import { afterAll, expect, test } from "bun:test";
import { Memory } from "../src/gpu/memory";
import { relativeL2, tinyConfig, tinyStore } from "../src/portability/training_rig";
import type { TrainConfig } from "../src/settings/config";
import { type Exchange, shardsOf } from "../src/train/micro_shards";
import type { TrainState } from "../src/train/state";
import { Trainer } from "../src/train/trainer";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

/** Exchanges among trainers of this process, one after the other. */
function meeting(size: number): Exchange[] {
  let parts: Float32Array[] = [];
  let open = Promise.withResolvers<Float32Array[]>();
  const meet = (part: Float32Array, rank: number) => {
    const { promise, resolve } = open;
    parts[rank] = part.slice();
    if (Object.keys(parts).length === size) {
      resolve(parts);
      [parts, open] = [[], Promise.withResolvers()];
    }
    return promise;
  };
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    async gatherFloats(part, lengths) {
      const all = await meet(part, rank);
      expect(all.map(({ length }) => length)).toEqual([...lengths]);
      return Float32Array.from(all.flatMap((values) => [...values]));
    },
    /** In an order of its own: the last process first. */
    async sum(part) {
      const all = await meet(part, rank);
      return all.reduceRight((a, b) => a.map((v, i) => Math.fround(v + b[i]!)));
    },
  }));
}

const KEPT = ["m", "v", "log"] as const;
type Bits = Readonly<Record<(typeof KEPT)[number] | "w" | "average", Float32Array>>;

async function bitsOf({ student, momentum, ...rest }: TrainState): Promise<Bits> {
  const [m, v, log] = await Promise.all(KEPT.map((name) => memory.readF32(rest[name])));
  const w = await memory.readF32(student.flat);
  return { m: m!, v: v!, log: log!, w, average: await memory.readF32(momentum.flat) };
}

function load(state: TrainState, bits: Bits): void {
  memory.write(state.student.flat, bits.w);
  memory.write(state.momentum.flat, bits.average);
  if (state.earlier) memory.write(state.earlier.flat, bits.average);
  for (const name of KEPT) memory.write(state[name], bits[name]);
}

/** `steps` iterations shared by so many processes; what each of them has then. */
async function trained(config: TrainConfig, size: number, steps: number, from?: Bits, at = 0) {
  const restore =
    from &&
    ((state: TrainState) => {
      load(state, from);
      return { iteration: at };
    });
  const trainers = await Promise.all(
    meeting(size).map((exchange) =>
      Trainer.create(memory, tinyStore(memory), config, { exchange, restore }),
    ),
  );
  for (let t = 0; t < steps; t++) await Promise.all(trainers.map((trainer) => trainer.step(0)));
  const bits: Bits[] = [];
  for (const trainer of trainers) {
    await trainer.drain();
    bits.push(await bitsOf(trainer.state));
    trainer.release();
  }
  return bits;
}

/** The last of the pool's parts is short. */
const SHARED = { batch: 4, pool: 13, microShards: 4 } as const;

test.each<[string, readonly number[], Partial<TrainConfig>]>([
  ["OHEM", [2, 3, 4], { telemetry: "full", reportEvery: 2 }],
  ["OHEM with deep supervision, drawn", [4], { deepSupervision: true, selection: "proportional" }],
  ["uniform", [2, 4], { sampler: "uniform" }],
  ["OHEM, a loss over the batch", [2, 4], { loss: "batch-dice-ce" }],
  ["best's loss", [2, 3], { sampler: "uniform", deepSupervision: true, loss: "batch-dice-ce" }],
  ["uniform with deep supervision", [3], { sampler: "uniform", deepSupervision: true }],
])(
  "%s: any number of processes gets the same bits, and after a change of it",
  async (_, sizes, changes) => {
    const config = tinyConfig({ ...SHARED, ...changes });
    const [alone] = await trained(config, 1, 3);
    for (const size of sizes) {
      for (const bits of await trained(config, size, 3)) expect(bits).toEqual(alone!);
    }
    if (config.telemetry === "full") return; // its report before is not loaded here
    const [half] = await trained(config, 3, 1);
    for (const bits of await trained(config, 2, 2, half, 1)) expect(bits).toEqual(alone!);
  },
);

test.each<[string, Partial<TrainConfig>]>([
  ["", {}],
  [", by a loss over it", { loss: "batch-dice-ce", diceEpsilon: 1, deepSupervision: true }],
])(
  "micro-shards train as the whole batch does, but for the order of sums%s",
  async (_, changes) => {
    const config = tinyConfig({ ...SHARED, ...changes });
    const [shared] = await trained(config, 2, 2);
    const options = { ...config, microShards: undefined };
    const whole = await Trainer.create(memory, tinyStore(memory), options);
    for (let t = 0; t < 2; t++) await whole.step(0);
    await whole.drain();
    const bits = await bitsOf(whole.state);
    expect(relativeL2(shared!.w, bits.w)).toBeLessThan(1e-3);
    expect(relativeL2(shared!.log, bits.log)).toBeLessThan(1e-3);
  },
);

test("--allreduce: all processes get the same bits, close to those of the order of shards", async () => {
  const config = tinyConfig({ ...SHARED, allreduce: true });
  const [first, ...others] = await trained(config, 3, 2);
  for (const bits of others) expect(bits).toEqual(first!);
  const [ordered] = await trained({ ...config, allreduce: false }, 3, 2);
  expect(relativeL2(first!.w, ordered!.w)).toBeLessThan(1e-4);
});

test("every shard is some process's, in order, and their numbers differ by at most one", () => {
  for (const size of [1, 2, 3, 5, 8]) {
    const parts = Array.from({ length: size }, (_, rank) => shardsOf(rank, size, 8));
    expect(parts.map(({ first }) => first)).toEqual([
      0,
      ...parts.slice(0, -1).map(({ end }) => end),
    ]);
    expect(parts.at(-1)!.end).toBe(8);
    const counts = parts.map(({ first, end }) => end - first);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(2);
  }
});
