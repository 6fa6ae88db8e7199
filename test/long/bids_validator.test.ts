/**
 * The official BIDS validator on a data set of phantoms and on the derivatives that `bids` makes of it. It comes from
 * npm (Deno) and from JSR; `BIDS_VALIDATOR` names another command, such as `bids-validator-deno` of PyPI.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "../../src/data/safetensors_file";
import { writeBidsPhantoms } from "../bids_data";
import { runDocumented } from "../cli_rig";
import { weightsContents } from "../weights_rig";

const COMMAND = process.env.BIDS_VALIDATOR ?? "npx --yes deno run -A jsr:@bids/validator";
const MINUTES = 3;

/** @returns its exit code, 0 where there is no error, and what it says */
async function validator(...args: string[]): Promise<{ code: number; said: string }> {
  const words = [...COMMAND.split(" "), ...args];
  if (!Bun.which(words[0]!)) return { code: 127, said: `no ${words[0]}` };
  const child = Bun.spawn(words, {
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000 * MINUTES },
  });
  const said = await Promise.all([child.stdout, child.stderr].map((s) => new Response(s).text()));
  return { code: await child.exited, said: said.join("") };
}

const isHere = (await validator("--version")).code === 0;
const folder = mkdtempSync(join(tmpdir(), "voxgrad-bids-validator-"));
const bids = join(folder, "bids");

const name = "the official BIDS validator";
describe.skipIf(!isHere)(isHere ? name : `${name} (skipped: it cannot be had here)`, () => {
  beforeAll(() => writeBidsPhantoms(bids));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("finds no error in the input", async () => {
    const { code, said } = await validator(bids);
    expect(code, said).toBe(0);
  });

  test.each(["t1", "t2", "middle"])("nor in the derivatives on the grid %s", async (grid) => {
    const [weights, out] = [join(folder, "w.safetensors"), join(folder, grid)];
    writeSafetensors({ path: weights, ...weightsContents() });
    const how = ["--weights", weights, "--tune", "off", "--grid", grid];
    for (const level of ["participant", "group"]) {
      const options = level === "group" ? [] : how;
      const { code, err } = await runDocumented("bids", bids, out, level, ...options);
      expect(code, err).toBe(0);
    }
    const { code, said } = await validator(out);
    expect(code, said).toBe(0);
  });
});
