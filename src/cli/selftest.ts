/** `bun run selftest`: see docs/guides/selftest.md. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SingleBar } from "cli-progress";
import { Option } from "commander";
import { UserError } from "../core/errors";
import type { Mask, Volume } from "../data/volume";
import { OPERATING_POINTS, type OperatingPointName } from "../decision/operating_points";
import { SCAN_TEXT } from "../dicom/read_visits";
import { openDevice } from "../hosts/bun";
import { lesionStrip } from "../pictures/lesion";
import { writeAtomically } from "../platform/atomic_file";
import { isWithoutNetwork, loadModels } from "../run/models";
import { type Selftest, selftest } from "../run/selftest";
import { TerminalObserver } from "../run/terminal_observer";
import { checkRows, intervalText, methodText, plantedText, selftestHtml } from "../selftest/page";
import type { SelftestRecord } from "../selftest/record";
import type { Shown } from "../selftest/trials";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import {
  countOption,
  numberOption,
  numbersOption,
  pathsOption,
  positiveOption,
} from "../terminal/options";
import { printResult } from "../terminal/result";
import { table } from "../terminal/text_table";
import { SERIES_OPTION } from "./predict/series_option";

interface Options {
  readonly t1: string;
  readonly t2: string;
  readonly out: string;
  readonly weights?: string[];
  readonly operatingPoint: OperatingPointName;
  readonly lesions: number;
  readonly sizes: readonly number[];
  readonly contrast: number;
  readonly seed: number;
  readonly series?: number[];
  readonly adapter?: string;
}

/** Above the panels of a planted lesion. */
const PICTURE_NAMES = ["as it is", "planted"] as const;

const program = makeCommand(
  "selftest",
  "Plants lesions of known size into your second scan, and says how many are found at which size; pairs " +
    "in which nothing is new show what is found falsely.",
)
  .requiredOption("--t1 <file>", `FLAIR of the first visit, ${SCAN_TEXT} (also: -t1 FILE)`)
  .requiredOption("--t2 <file>", "FLAIR of the second visit (also: -t2 FILE)")
  .option("--out <dir>", "folder to write selftest.html and selftest.json into", "selftest")
  .option(
    "-w, --weights <files>",
    "as of `predict`; none tests the statistic of change",
    pathsOption,
  )
  .addOption(
    new Option("--operating-point <name>", "rule for lesions, of weights that are calibrated")
      .choices(OPERATING_POINTS)
      .default("default" satisfies OperatingPointName),
  )
  .option("--lesions <n>", "planted lesions of each size", countOption, 12)
  .option("--sizes <mm>", "their diameters, separated by commas", numbersOption, [3, 4, 5, 6, 8])
  .option(
    "--contrast <c>",
    "how far above white matter they are, of white matter above air",
    positiveOption,
    0.4,
  )
  .option("--seed <n>", "the same seed and scans give the same lesions", numberOption, 0)
  .option(...SERIES_OPTION)
  .option(...ADAPTER_OPTION);
program.parse(process.argv.map((arg) => arg.replace(/^-(t[12])$/, "--$1")));
await runMain(() => main(program.opts<Options>()));

async function main(options: Options): Promise<void> {
  const { t1, t2, out, weights, adapter } = options;
  const sizes = checkedSizes(options.sizes);
  const models = isWithoutNetwork(weights) ? [] : loadModels(weights ?? [], {});
  checkPaths({
    reads: [
      given("-t1", t1),
      given("-t2", t2),
      given(
        "-w",
        models.map(({ path }) => path),
      ),
    ],
    fills: [given("--out", out)],
  });
  const bar = new SingleBar({
    format: "{bar} {percentage} %  scan {value}/{total}  {eta_formatted} left",
    stream: process.stderr,
    clearOnComplete: true,
  });
  const onProgress = (done: number, total: number) => {
    if (bar.isActive) bar.update(done);
    else bar.start(total, done);
  };
  const observer = new TerminalObserver();
  await untilInterrupted(observer.signal, async () => {
    try {
      const open = () => openDevice({ adapter });
      const request = { ...options, sizes, models, onProgress };
      const found = await selftest(request, open, observer, observer.signal);
      bar.stop();
      write(out, found);
      printResult(resultText(found.record));
      say(`the page: ${join(out, "selftest.html")}`);
    } finally {
      bar.stop();
    }
  });
}

/** Increasing. @throws UserError for sizes that no lesion has */
function checkedSizes(sizes: readonly number[]): readonly number[] {
  const wrong = sizes.find((mm) => !(mm >= 1 && mm <= 30));
  if (wrong === undefined) return [...new Set(sizes)].sort((a, b) => a - b);
  throw new UserError(
    `--sizes ${sizes.join(",")}: expected diameters from 1 to 30 mm, not ${wrong}`,
  );
}

function write(out: string, { record, visit2, shown }: Selftest): void {
  const pictures = shown.map((each) => ({
    ...{
      sizeMm: each.lesion.sizeMm,
      found: each.found,
      png: strip(visit2, each).toString("base64"),
    },
  }));
  mkdirSync(out, { recursive: true });
  writeAtomically(join(out, "selftest.json"), `${JSON.stringify(record, null, 2)}\n`);
  writeAtomically(join(out, "selftest.html"), selftestHtml(record, pictures));
}

function strip(visit2: Volume, { image, lesion }: Shown): Buffer {
  const data = new Uint8Array(image.data.length);
  for (const i of lesion.voxels) data[i] = 1;
  const mask: Mask = { size: image.size, affine: image.affine, data };
  return Buffer.from(lesionStrip(visit2, image, mask, PICTURE_NAMES));
}

function resultText(record: SelftestRecord): string {
  const rows = record.sizes.map(({ sizeMm, meanMm3, found, of, interval }) => [
    ...[`${sizeMm} mm`, meanMm3 === null ? "–" : `${meanMm3.toFixed(0)} mm³`],
    ...[of === 0 ? "fitted nowhere" : `${found} of ${of}`, intervalText(interval)],
  ]);
  return [
    record.verdict.headline,
    ...record.verdict.lines.map((line) => `  ${line}`),
    "",
    `self-test ${methodText(record)}`,
    ...table([["diameter", "volume", "found", "95 % interval"], ...rows]),
    plantedText(record),
    "",
    ...table([["pair", "called new", "right is"], ...checkRows(record)], [0, 1, 2]),
  ].join("\n");
}
