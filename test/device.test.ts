import { describe, expect, test } from "bun:test";
import { UserError } from "../src/core/errors";
import type { Device } from "../src/gpu/device";
import { throttledWait } from "../src/gpu/wait";
import { listAdapters, openDevice } from "../src/hosts/bun";

const COUNT = 1003; // no multiple of the workgroup
const SHADER = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < ${COUNT}u) { y[id.x] = x[id.x] * 2.0 + 1.0; }
}`;

const adapters = await listAdapters({ quiet: true });
const kinds = [...new Set(adapters.map(({ kind }) => kind))];

test("there is an adapter, and each has a distinct name", () => {
  expect(adapters.length).toBeGreaterThan(0);
  expect(new Set(adapters.map(({ name }) => name)).size).toBe(adapters.length);
});

describe.each(kinds)("%s", (kind) => {
  test("opens by kind, computes, and reads back", async () => {
    const device = await openDevice({ adapter: kind, quiet: true });
    expect(device.info.kind).toBe(kind);
    expect(await doubledPlusOne(device)).toEqual(Float32Array.from({ length: COUNT }, expected));
    device.destroy();
  });

  test("opens by part of its name in another case, beside another open device", async () => {
    const { name } = adapters.find((each) => each.kind === kind)!;
    const first = await openDevice({ quiet: true });
    const device = await openDevice({ adapter: name.slice(1, 8).toUpperCase(), quiet: true });
    expect(device.info.name).toBe(name);
    expect(await doubledPlusOne(first)).toEqual(await doubledPlusOne(device));
    first.destroy();
    device.destroy();
  });

  test("has the adapter's own limits, and its start line says what it is", async () => {
    const device = await openDevice({ adapter: kind, quiet: true });
    const { maxStorageBufferBindingSize } = device.info.limits;
    expect(device.limits.maxStorageBufferBindingSize).toBe(maxStorageBufferBindingSize);
    expect(device.describe()).toContain(device.info.name);
    expect(device.describe()).toContain("float32");
    expect(device.describe().includes("software adapter")).toBe(kind !== "hardware");
    device.destroy();
  });

  test("a validation error becomes an exception of the next wait, once", async () => {
    const device = await openDevice({ adapter: kind, quiet: true });
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE;
    device.device.createBuffer({ label: "wrong", size: 4, usage });
    await expect(device.idle()).rejects.toThrow(/GPUValidationError: .*MapRead/);
    await device.idle();
    device.destroy();
  });
});

test("an unknown adapter is a UserError that lists those that there are", async () => {
  const attempt = openDevice({ adapter: "no such", quiet: true });
  await expect(attempt).rejects.toThrow(UserError);
  await attempt.catch(({ message }: Error) => {
    expect(message).toContain('"no such"');
    for (const { name } of adapters) expect(message).toContain(name);
  });
});

test("VOXGRAD_ADAPTER picks the adapter, and an option goes before it", async () => {
  const before = process.env.VOXGRAD_ADAPTER;
  process.env.VOXGRAD_ADAPTER = "no such";
  await expect(openDevice({ quiet: true })).rejects.toThrow(UserError);
  const device = await openDevice({ adapter: adapters[0]!.name, quiet: true });
  expect(device.info.name).toBe(adapters[0]!.name);
  device.destroy();
  if (before === undefined) delete process.env.VOXGRAD_ADAPTER;
  else process.env.VOXGRAD_ADAPTER = before;
});

test("the throttled wait settles like its promise", async () => {
  const later = new Promise<string>((resolve) => setTimeout(resolve, 5, "done"));
  expect(await throttledWait(later)).toBe("done");
  expect(await throttledWait(Promise.resolve(7))).toBe(7);
  await expect(throttledWait(Promise.reject(new RangeError("no")))).rejects.toThrow(RangeError);
});

test("bun run adapters --json lists them; a command ends with 2 for a UserError, else 1", () => {
  const run = (...args: string[]) => Bun.spawnSync([process.execPath, ...args]);
  const { stdout, exitCode } = run("src/cli/adapters.ts", "--json");
  expect(exitCode).toBe(0);
  const names = JSON.parse(stdout.toString()).map(({ name }: { name: string }) => name);
  expect(names).toEqual(adapters.map(({ name }) => name));
  const failing = (error: string) =>
    run(
      "-e",
      `import { runMain } from "./src/terminal/main";
      import { UserError } from "./src/core/errors";
      await runMain(async () => { throw ${error}; });`,
    );
  const bad = failing(`new UserError("no such file")`);
  expect([bad.exitCode, bad.stderr.toString()]).toEqual([2, "voxgrad: no such file\n"]);
  expect(failing(`new Error("defect")`).exitCode).toBe(1);
});

function input(i: number): number {
  return Math.fround(Math.sin(i));
}

function expected(_: unknown, i: number): number {
  return Math.fround(Math.fround(input(i) * 2) + 1);
}

async function doubledPlusOne(device: Device): Promise<Float32Array> {
  const { device: gpu } = device;
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const [x, y] = [0, 1].map(() => gpu.createBuffer({ size: COUNT * 4, usage: storage }));
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = gpu.createBuffer({ size: COUNT * 4, usage });
  gpu.queue.writeBuffer(
    x!,
    0,
    Float32Array.from({ length: COUNT }, (_, i) => input(i)),
  );
  const module = gpu.createShaderModule({ code: SHADER });
  const making = gpu.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const pipeline = await device.wait(making);
  const entries = [x!, y!].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindGroup = gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(Math.ceil(COUNT / 64));
  pass.end();
  encoder.copyBufferToBuffer(y!, staging);
  device.submit(encoder.finish(), "doubledPlusOne");
  await device.wait(staging.mapAsync(GPUMapMode.READ));
  return new Float32Array(staging.getMappedRange().slice(0));
}
