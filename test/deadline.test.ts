/** A deadline ends its process where nothing else would. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const MODULE = join(import.meta.dir, "..", "src", "platform", "deadline.ts");

/** Runs a program that sets a deadline of a second. */
async function run(rest: string) {
  const program = `import { Deadline } from ${JSON.stringify(MODULE)};
    const deadline = await Deadline.set(1, 7, "it took too long");
    ${rest}`;
  const child = Bun.spawn([process.execPath, "-e", program], { stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  return { code: await child.exited, said };
}

test.skipIf(process.platform !== "linux")("a blocked main thread does not hinder it", async () => {
  const forEver = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";
  expect(await run(forEver)).toEqual({ code: 7, said: "voxgrad: it took too long\n" });
});

test.skipIf(process.platform !== "linux")(
  "lifted, or at an end before it, nothing happens",
  async () => {
    expect(await run("await deadline.lift(); await Bun.sleep(2000);")).toEqual({
      code: 0,
      said: "",
    });
    expect(await run("")).toEqual({ code: 0, said: "" });
  },
);
