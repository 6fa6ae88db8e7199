/** Too little memory, of the process or of the device: one line that says what to do. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { UserError } from "../src/core/errors";
import { Device } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { openDevice } from "../src/hosts/bun";
import { checkAddressSpace } from "../src/platform/address_space";

const ROOT = join(import.meta.dir, "..");
const REMEDY = /take less at a time, by a smaller --chunk, .*--batch .*--precision f16/;

describe("of the process", () => {
  const limits = (bytes: string) => `Max stack size 1\nMax address space         ${bytes}  bytes`;

  test("a limit on its address space is told before a driver is loaded", () => {
    for (const text of ["", limits("unlimited            unlimited"), limits("8589934592")]) {
      expect(() => checkAddressSpace(text)).not.toThrow();
    }
    expect(() => checkAddressSpace(limits("2147483648           unlimited"))).toThrow(
      /may map 2\.0 GiB of memory \(ulimit -v\): drivers need 6 GiB or more; raise that limit/,
    );
  });

  test.skipIf(process.platform !== "linux")("bun run tune with 2 GB of address space", () => {
    const line = `ulimit -v 2000000; exec "$@"`;
    const words = ["-c", line, "-", process.execPath, "run", "tune"];
    const { stderr, status } = spawnSync("bash", words, { cwd: ROOT, encoding: "utf8" });
    const said = stderr.split("\n").filter((text) => text.startsWith("voxgrad: "));
    expect(said.join()).toMatch(/may map 1\.9 GiB .*raise that limit/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(2);
  });

  test("an array that does not fit is one line", () => {
    const code = `import { runMain } from "./src/terminal/main";
      await runMain(async () => void new Float64Array(2 ** 40));`;
    const words = ["-e", code];
    const { stderr, status } = spawnSync(process.execPath, words, { cwd: ROOT, encoding: "utf8" });
    expect(stderr).toMatch(/^voxgrad: out of memory \(.*\): take less at a time/);
    expect(status).toBe(2);
  });
});

describe("of the device", () => {
  test("a buffer beyond the adapter's largest", async () => {
    const device = await openDevice({ quiet: true });
    const memory = new Memory(device);
    const ask = () => memory.allocate("weights", device.limits.maxBufferSize + 4);
    expect(ask).toThrow(UserError);
    expect(ask).toThrow(/^weights takes \d+ MiB, a buffer of .* holds \d+ MiB: take less/);
    expect(ask).toThrow(REMEDY);
    expect(memory.allocatedBytes).toBe(0);
    device.destroy();
  });

  test("what the driver says of it, within a scope and outside of any", async () => {
    const open = await openDevice({ quiet: true });
    /** A device whose driver has run out of memory: none does that when it is asked to. */
    class GPUOutOfMemoryError {
      constructor(readonly message: string) {}
    }
    const scopes = [{ message: "invalid buffer" }, { message: "no memory" }];
    const gpu = {
      ...{ limits: open.limits, features: [], lost: new Promise(() => {}) },
      onuncapturederror: (_: object): void => {},
      pushErrorScope: () => {},
      popErrorScope: async () => scopes.shift() ?? null,
      createBuffer: () => ({ size: 16 }),
    };
    const device = new Device(gpu as unknown as GPUDevice, open.adapter, open.info, {});
    const memory = new Memory(device);
    const checked = memory.checked("compiling iteration", () => memory.allocate("slot", 2 ** 20));
    await expect(checked).rejects.toThrow(
      /^compiling iteration: .* is out of memory with 1 MiB allocated: take less at a time/,
    );
    const preventDefault = () => {};
    class GPUValidationError extends GPUOutOfMemoryError {}
    for (const error of [new GPUOutOfMemoryError("no"), new GPUValidationError("invalid")]) {
      gpu.onuncapturederror({ error, preventDefault });
    }
    const waited = device.wait(Promise.resolve());
    await expect(waited).rejects.toThrow(UserError);
    gpu.onuncapturederror({ error: new GPUOutOfMemoryError("no"), preventDefault });
    await expect(device.wait(Promise.resolve())).rejects.toThrow(REMEDY);
    await device.wait(Promise.resolve());
    open.destroy();
  });
});
