import { mkdir, readdir } from "node:fs/promises";
import { SingleBar } from "cli-progress";
import { UserError } from "../core/errors";
import {
  checkPhantom,
  claimPhantom,
  DEFAULT_PHANTOM,
  type PhantomSettings,
  writePhantom,
} from "../data/phantom/cohort";
import { makeCommand } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { runMain } from "../terminal/main";
import { numberOption, numbersOption } from "../terminal/options";
import { printResult } from "../terminal/result";

const { patients, seed, spacing, fieldOfView } = DEFAULT_PHANTOM;
const program = makeCommand(
  "phantom",
  "Writes a cohort of made-up patients with new lesions, in the MSSEG-2 layout.",
)
  .argument("<out>", "folder to write; must be new or empty")
  .option("--patients <n>", "how many", numberOption, patients)
  .option("--seed <n>", "the same seed gives the same files", numberOption, seed)
  .option("--spacing <mm>", "edge of the cubic voxels", numberOption, spacing)
  .option("--field-of-view <x,y,z>", "mm; the head fills it", numbersOption, [...fieldOfView]);
program.parse();
await runMain(() => phantom(program.args[0]!, program.opts<PhantomSettings>()));

async function phantom(out: string, settings: PhantomSettings): Promise<void> {
  checkPhantom(settings);
  checkPaths({ fills: [given("<out>", out)] });
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
  printResult(`${settings.patients} patients written to ${out}`);
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
  if (entries.length > 0 || !claimPhantom(path)) {
    throw new UserError(`${path}: is not empty; choose a new folder`);
  }
}
