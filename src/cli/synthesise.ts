import { SingleBar } from "cli-progress";
import { openCohort } from "../data/cohort";
import { loadPatient } from "../data/patient";
import { drawSamples, type Sample } from "../pictures/samples";
import { writeSynthetic } from "../synthesis/cohort";
import { filesOf, findMasks, findSources } from "../synthesis/sources";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { setInterruptedCode, watchInterrupt } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { countOption, idsOption, numberOption, pathsOption } from "../terminal/options";
import { SHARD_OPTION, type Shard } from "../terminal/shard";

interface Options {
  readonly pairs: number;
  readonly seed: number;
  readonly phantoms: number;
  readonly masks?: string;
  readonly patients?: string[];
  readonly picture?: string;
  readonly shard?: Shard;
}

/** Pairs on the picture. */
const SHOWN = 24;

const program = makeCommand(
  "synthesise",
  "Makes pairs of visits of single scans: each visit is scanned anew, as by another scanner, and lesions " +
    "appear, grow, shrink, go and stay. Three pairs in ten have nothing new.",
)
  .argument(
    "<data>",
    "folders of scans, separated by commas: pairs in the MSSEG-2 layout, flair and lesions, or any FLAIR",
    pathsOption,
  )
  .argument("<out>", "folder to write, in the MSSEG-2 layout")
  .option("--pairs <n>", "how many", countOption, 20)
  .option("--seed <n>", "the same seed and data give the same pairs", numberOption, 0)
  .option("--phantoms <n>", "made-up heads beside the scans", numberOption, 0)
  .option("--masks <dir>", "lesion masks: real shapes for a part of the lesions")
  .option("--picture <file>", `PNG of the first ${SHOWN} pairs`)
  .option("--patients <ids>", "only these patients", idsOption)
  .option(...SHARD_OPTION);
program.parse();
await runMain(() => {
  const [data, out] = program.processedArgs as [string[], string];
  return synthesise(data, out, program.opts<Options>());
});

async function synthesise(data: readonly string[], out: string, options: Options): Promise<void> {
  const { pairs, seed, phantoms, patients, picture, shard } = options;
  const found = findSources(data, patients);
  const masks = options.masks === undefined ? [] : findMasks(options.masks);
  checkPaths({
    reads: [
      given("<data>", [...data, ...found.flatMap(filesOf).filter((file) => file !== undefined)]),
      given("--masks", masks),
    ],
    writes: [given("--picture", picture)],
    fills: [given("<out>", out)],
  });
  const bar = new SingleBar({
    format: "{bar} {percentage} %  pair {value}/{total}  {eta_formatted} left",
    stream: process.stderr,
    clearOnComplete: true,
  });
  const interrupt = watchInterrupt(say);
  try {
    await writeSynthetic(
      out,
      { sources: found, phantoms, masks, pairs, seed, part: shard },
      {
        signal: interrupt.signal,
        onProgress: (done, total) => {
          if (bar.isActive) bar.update(done);
          else bar.start(total, done);
        },
      },
    );
    bar.stop();
    say(
      `${pairs} pairs in ${out}${shard ? `, made here: part ${shard.index} of ${shard.of}` : ""}`,
    );
    if (picture !== undefined) await drawPairs(out, picture);
  } catch (error) {
    bar.stop();
    if (error !== interrupt.signal.reason) throw error;
    say("interrupted; repeat the command to go on from here");
    setInterruptedCode(interrupt.signal);
  } finally {
    interrupt.dispose();
  }
}

async function drawPairs(folder: string, picture: string): Promise<void> {
  const samples: Sample[] = [];
  for (const patient of (await openCohort(folder)).patients) {
    if (samples.length === SHOWN) break;
    const { id, time1: visit1, time2: visit2, truth } = await loadPatient(patient);
    const isNew = truth.data.includes(1);
    samples.push({ title: isNew ? id : `${id}: nothing new`, visit1, visit2, truth });
  }
  drawSamples(samples, picture);
  say(`${picture}: ${samples.length} pairs`);
}
