import { SingleBar } from "cli-progress";
import { writeSynthetic } from "../synthesis/cohort";
import { findMasks, findSources } from "../synthesis/sources";
import { INTERRUPTED, watchInterrupt } from "../train/interrupt";
import { makeCommand, say } from "./command";
import { runMain } from "./main";
import { countOption, listOption, numberOption } from "./options";

interface Options {
  readonly pairs: number;
  readonly seed: number;
  readonly masks?: string;
  readonly patients?: string[];
}

const program = makeCommand(
  "synthesise",
  "Makes pairs with new lesions of scans that have none: lesions of other patients are pasted into " +
    "white matter at visit 2, or a scan's own are filled in at visit 1.",
)
  .argument("<data>", "folder of pairs (MSSEG-2 layout) or of single scans (flair and lesions)")
  .argument("<out>", "folder to write, in the MSSEG-2 layout")
  .option("--pairs <n>", "how many", countOption, 20)
  .option("--seed <n>", "the same seed and data give the same pairs", numberOption, 0)
  .option("--masks <dir>", "lesion masks in MNI space: more shapes to paste")
  .option("--patients <ids>", "only these patients of the folder", listOption);
program.parse();
await runMain(() => synthesise(program.args[0]!, program.args[1]!, program.opts<Options>()));

async function synthesise(data: string, out: string, options: Options): Promise<void> {
  const { pairs, seed, patients } = options;
  const found = findSources(data, patients);
  const masks = options.masks === undefined ? [] : findMasks(options.masks);
  const bar = new SingleBar({
    format: "{bar} {percentage} %  pair {value}/{total}  {eta_formatted} left",
    stream: process.stderr,
    clearOnComplete: true,
  });
  const interrupt = watchInterrupt(say);
  try {
    await writeSynthetic(
      out,
      { sources: found, masks, pairs, seed },
      {
        signal: interrupt.signal,
        onNote: say,
        onProgress: (done, total) => {
          if (bar.isActive) bar.update(done);
          else bar.start(total, done);
        },
      },
    );
    bar.stop();
    say(`${pairs} pairs in ${out}`);
  } catch (error) {
    bar.stop();
    if (!interrupt.signal.aborted) throw error;
    say("interrupted; the same command goes on from here");
    process.exitCode = INTERRUPTED;
  } finally {
    interrupt.dispose();
  }
}
