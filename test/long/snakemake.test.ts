/** The workflow of examples/snakemake on pairs of phantoms, with Debian's snakemake. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { writePhantom } from "../../src/data/phantom/cohort";
import { writeSafetensors } from "../../src/data/safetensors_file";
import { weightsContents } from "../weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-snakemake-"));
const [data, out, weights] = ["the data", "out", "w.safetensors"].map((name) =>
  join(folder, name),
) as [string, string, string];
const broken = join(data, "broken", "flair_time02_on_middle_space.nii.gz");

async function snakemake(): Promise<{ code: number; said: string }> {
  const file = join(import.meta.dir, "../../examples/snakemake/Snakefile");
  const config = [`data=${data}`, "out=out", "weights=w.safetensors", "options=--tune off"];
  const words = ["snakemake", "--snakefile", file, "--cores", "1", "--keep-going"];
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const child = Bun.spawn([...words, "--config", ...config], {
    ...{ cwd: folder, env: { ...process.env, PATH: path }, stdout: "ignore", stderr: "pipe" },
  });
  const said = await new Response(child.stderr).text();
  return { code: await child.exited, said };
}

const table = () => readFileSync(join(out, "new_lesions.csv"), "utf8").trim().split("\r\n");

const isHere = Bun.which("snakemake") !== null;
describe.skipIf(!isHere)(isHere ? "Snakemake" : "Snakemake (skipped: not installed)", () => {
  beforeAll(async () => {
    mkdirSync(data);
    await writePhantom(data, { patients: 2, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
    renameSync(join(data, "patient002"), join(data, "José's 2nd"));
    mkdirSync(join(data, "broken"));
    for (const n of [1, 2]) {
      writeFileSync(broken.replace("time02", `time0${n}`), "no image");
    }
    writeSafetensors({ path: weights, ...weightsContents() });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("predicts each pair; one that is broken leaves the others, and no table", async () => {
    const { code, said } = await snakemake();
    expect(code, said).toBe(1);
    for (const id of ["patient001", "José's 2nd"]) {
      expect(existsSync(join(out, id, "result.json")), said).toBe(true);
    }
    expect(existsSync(join(out, "new_lesions.csv"))).toBe(false);
    expect(readFileSync(join(out, "logs", "broken.log"), "utf8")).toContain("voxgrad: ");
  });

  test("the same command does the rest and writes the table, and then has nothing to do", async () => {
    rmSync(join(data, "broken"), { recursive: true });
    const { code, said } = await snakemake();
    expect(code, said).toBe(0);
    expect(table().length).toBe(3);
    expect(table()[0]).toBe("patient,any_new_lesion,lesions,volume_mm3,fit");
    expect(table()[2]).toMatch(/^patient001,(yes|no),\d+,\d+\.\d,yes$/);
    const again = await snakemake();
    expect(again.said).toContain("Nothing to be done");
    expect(again.code).toBe(0);
  });
});
