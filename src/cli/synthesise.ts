import { dirname } from "node:path";
import { SingleBar } from "cli-progress";
import { openCohort } from "../data/cohort";
import { loadPatient } from "../data/patient";
import type { Mask } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { drawSamples, type Sample } from "../pictures/samples";
import { originOf, writeSynthetic } from "../synthesis/cohort";
import { filesOf, findMasks, findSources } from "../synthesis/sources";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { setInterruptedCode, watchInterrupt } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { countOption, idsOption, numberOption } from "../terminal/options";

interface Options {
  readonly pairs: number;
  readonly seed: number;
  readonly masks?: string;
  readonly patients?: string[];
  readonly picture?: string;
}

/** Pairs on the picture. */
const SHOWN = 12;

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
  .option("--picture <file>", `PNG of the first ${SHOWN} pairs with new lesions`)
  .option("--patients <ids>", "only these patients of the folder", idsOption);
program.parse();
await runMain(() => synthesise(program.args[0]!, program.args[1]!, program.opts<Options>()));

async function synthesise(data: string, out: string, options: Options): Promise<void> {
  const { pairs, seed, patients, picture } = options;
  const found = findSources(data, patients);
  const masks = options.masks === undefined ? [] : findMasks(options.masks);
  checkPaths({
    reads: [
      given("<data>", [data, ...found.flatMap(filesOf).filter((file) => file !== undefined)]),
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
    const made = originOf(dirname(patient.time1))?.made ?? [];
    const places = made.filter(({ kind }) => kind !== "old").map(({ at }) => at);
    const shown = partsAt(truth, places);
    if (shown.data.includes(1)) samples.push({ title: id, visit1, visit2, truth: shown });
  }
  drawSamples(samples, picture);
  say(`${picture}: ${samples.length} pairs`);
}

/** The parts of a mask that hold these voxels: of a pair, without the lesions that it had. */
function partsAt(mask: Mask, places: readonly (readonly number[])[]): Mask {
  const { labels } = connectedComponents(mask.data, mask.size, 18);
  const [nx, ny] = mask.size;
  const wanted = new Set(places.map(([x, y, z]) => labels[(z! * ny + y!) * nx + x!]));
  return { ...mask, data: Uint8Array.from(labels, (c) => (c > 0 && wanted.has(c) ? 1 : 0)) };
}
