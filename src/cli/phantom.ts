import { mkdir, readdir } from "node:fs/promises";
import { SingleBar } from "cli-progress";
import { program } from "commander";
import { UserError } from "../core/errors";
import { DEFAULT_PHANTOM, type PhantomSettings, writePhantom } from "../data/phantom/cohort";
import type { Point } from "../data/phantom/fields";
import { runMain } from "./main";

interface Options {
  readonly patients: string;
  readonly seed: string;
  readonly spacing: string;
  readonly fieldOfView: string;
}

program
  .name("phantom")
  .description("Writes a cohort of made-up patients with new lesions, in the MSSEG-2 layout.")
  .argument("<out>", "folder to write; must be new or empty")
  .option("--patients <n>", "how many", String(DEFAULT_PHANTOM.patients))
  .option("--seed <n>", "the same seed gives the same files", String(DEFAULT_PHANTOM.seed))
  .option("--spacing <mm>", "edge of the cubic voxels", String(DEFAULT_PHANTOM.spacing))
  .option("--field-of-view <x,y,z>", "mm; the head fills it", DEFAULT_PHANTOM.fieldOfView.join(","))
  .action((out: string, options: Options) => runMain(() => phantom(out, options)));
await program.parseAsync();

async function phantom(out: string, options: Options): Promise<void> {
  const settings: PhantomSettings = {
    patients: Number(options.patients),
    seed: Number(options.seed),
    spacing: Number(options.spacing),
    fieldOfView: options.fieldOfView.split(",").map(Number) as unknown as Point,
  };
  await makeEmptyFolder(out);
  const bar = new SingleBar({
    format: "{bar} {percentage} %  patient {value}/{total}  {eta_formatted} left",
    stream: process.stderr,
    clearOnComplete: true,
  });
  try {
    await writePhantom(out, settings, (done, total) =>
      done === 0 ? bar.start(total, 0) : bar.update(done),
    );
  } finally {
    bar.stop();
  }
  console.log(`${settings.patients} patients written to ${out}`);
}

async function makeEmptyFolder(path: string): Promise<void> {
  let entries: string[];
  try {
    await mkdir(path, { recursive: true });
    entries = await readdir(path);
  } catch (error) {
    const problem = (error as Error).message;
    throw new UserError(`${path}: cannot be used as a folder (${problem}); choose another path`);
  }
  if (entries.length > 0) throw new UserError(`${path}: is not empty; choose a new folder`);
}
