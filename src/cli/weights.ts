/** `bun run weights`: see docs/guides/weights.md. */
import { dirname, join } from "node:path";
import { UserError } from "../core/errors";
import { type MaskFolder, type MaskPair, pairMasks } from "../data/mask_folders";
import { calibrationText } from "../decision/calibration_text";
import { openDevice } from "../hosts/bun";
import {
  type Calibrated,
  calibrateByMaps,
  calibrateRun,
  type MapsOfPatients,
} from "../run/calibrate";
import { type ExportRequest, exportWeights } from "../run/export_weights";
import { findWeights } from "../run/models";
import {
  modelCard,
  SHIPPED,
  shippedFile,
  shippedWeights,
  weightsFolder,
} from "../run/shipped_weights";
import { TerminalObserver } from "../run/terminal_observer";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { listOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { table } from "../terminal/text_table";

const program = makeCommand(
  "weights",
  "Lists, explains and makes the weights that come with voxgrad.",
);
program
  .command("list")
  .description("the weights that come with voxgrad, each compared with its checksum")
  .action(() => runMain(async () => list()));
program
  .command("card")
  .description("prints their model card: data, results by patient, and what they are not for")
  .action(() => runMain(async () => printResult(modelCard().trimEnd())));
program
  .command("export")
  .description("makes weights that are shipped of a run's best ones, or of an exported copy")
  .argument("<run>", "folder of a run, a weights file in one, or an exported file")
  .requiredOption("--name <name>", "name of the file, without .safetensors")
  .requiredOption("--trained-on <text>", "the data in a line, which every prediction shows")
  .requiredOption("--licence <text>", "licence of the weights, e.g. CC BY 4.0")
  .option("--release <version>", "version of the weights", "1")
  .option("--with <names>", "shipped weights that they predict with, as a mean", listOption)
  .option("--recipe <file>", "file with the steps that made them: its hash is kept")
  .action((run: string, options: Omit<ExportRequest, "from" | "version"> & { release: string }) =>
    runMain(async () => exportOf(run, options)),
  );
program
  .command("calibrate")
  .description(
    "makes probabilities mean what they say, and chooses operating points, on patients that were left " +
      "out: those that validate a run or its folds, or those of --maps",
  )
  .argument("<weights>", "folder of a run or of a cross-validation; with --maps a weights file")
  .option("--maps <dir>", "probability maps by networks that did not train on their patient")
  .option("--references <dir>", "of --maps: the true masks, paired as by `evaluate`")
  .option("--allowed <dir>", "of --maps: where lesions may lie, as `predict --allowed` writes it")
  .option(
    "--unchanged <dir>",
    "of --maps: pairs without change, in maps, references and allowed; their false lesions count in the " +
      "choice of operating points",
  )
  .option("--reference-name <name>", "mask in a patient's folder, without .nii.gz", "ground_truth")
  .option("--data <dir>", "of a run: its cohort, where it has moved")
  .option(...ADAPTER_OPTION)
  .action((weights: string, options: CalibrateOptions) =>
    runMain(() => calibrate(weights, options)),
  );
await program.parseAsync();

function list(): void {
  const all = shippedWeights();
  if (all.length === 0) {
    printResult(`no weights come with this voxgrad (there is no index.json in ${weightsFolder()})`);
    return;
  }
  const rows = all.map(({ name, version, sha256, licence, trainedOn }) => {
    shippedFile(name); // refuses a file that is another
    return [name, version, sha256.slice(0, 8), licence, trainedOn];
  });
  const head = ["name", "version", "SHA-256", "licence", "trained on"];
  printResult(table([head, ...rows], [0, 1, 2, 3, 4]).join("\n"));
  printResult(`by name: --weights ${SHIPPED}:${all[0]!.name}; ${SHIPPED} alone is the first`);
}

function exportOf(
  from: string,
  { release, ...options }: Omit<ExportRequest, "from" | "version"> & { release: string },
): void {
  checkPaths({
    reads: [
      given(
        "<run>",
        findWeights(from).map(({ path }) => path),
      ),
      given("--recipe", options.recipe),
    ],
    fills: [given("VOXGRAD_WEIGHTS", weightsFolder())],
  });
  const { path, sha256 } = exportWeights({ ...options, from, version: release });
  printResult(`${path}: SHA-256 ${sha256}`);
  say(`now write of them in ${weightsFolder()}/MODEL_CARD.md, and look at: bun run weights list`);
}

interface CalibrateOptions {
  readonly maps?: string;
  readonly references?: string;
  readonly allowed?: string;
  readonly unchanged?: string;
  readonly referenceName: string;
  readonly data?: string;
  readonly adapter?: string;
}

async function calibrate(weights: string, options: CalibrateOptions): Promise<void> {
  const { maps, references, allowed, unchanged, referenceName, data, adapter } = options;
  if ((maps === undefined) !== (references === undefined)) {
    throw new UserError("--maps and --references belong together: give both, or neither");
  }
  for (const [name, value] of Object.entries({ allowed, unchanged })) {
    if (value === undefined || maps !== undefined) continue;
    throw new UserError(`--${name} belongs to --maps: give both, or neither`);
  }
  refuseShipped(weights);
  const observer = new TerminalObserver();
  await untilInterrupted(observer.signal, async () => {
    let done: Calibrated;
    if (maps === undefined || references === undefined) {
      const device = await openDevice({ adapter });
      say(device.describe());
      done = await calibrateRun(weights, device, data, observer, observer.signal);
    } else {
      const truth = { root: references, fileName: referenceName, option: "--reference-name" };
      const changed = await mapsOf(truth, maps, "--maps", allowed);
      const without =
        unchanged === undefined ? undefined : await unchangedOf(unchanged, truth, allowed);
      done = await calibrateByMaps(weights, changed, without, observer);
    }
    printResult(calibrationText(done.calibration).join("\n"));
    for (const path of done.paths) say(`${path}: written; its tensors stay as they were`);
  });
}

/** As `bench/left_out.ts --keep` writes them; their places count where those of the patients do. */
function unchangedOf(
  root: string,
  truth: MaskFolder,
  allowed: string | undefined,
): Promise<MapsOfPatients> {
  const own = { ...truth, root: join(root, "references") };
  return mapsOf(own, join(root, "maps"), "--unchanged", allowed && join(root, "allowed"));
}

async function mapsOf(
  truth: MaskFolder,
  maps: string,
  option: string,
  allowed: string | undefined,
): Promise<MapsOfPatients> {
  const { pairs } = await pairMasks(truth, { root: maps, fileName: "probability", option });
  return { pairs, allowed: await placesOf(truth, allowed, pairs) };
}

/** The mask of each patient. @throws UserError where a patient has none */
async function placesOf(
  references: MaskFolder,
  root: string | undefined,
  pairs: readonly MaskPair[],
): Promise<ReadonlyMap<string, string>> {
  if (root === undefined) return new Map();
  const given = { root, fileName: "allowed", option: "--allowed" };
  const found = await pairMasks(references, given);
  const places = new Map(found.pairs.map(({ patient, prediction }) => [patient, prediction]));
  const without = pairs.find(({ patient }) => !places.has(patient));
  if (!without) return places;
  throw new UserError(`--allowed ${root}: no mask of ${without.patient}, which has a map`);
}

/** Their checksum is known: weights are calibrated first and exported then. */
function refuseShipped(weights: string): void {
  if (!findWeights(weights).some(({ path }) => dirname(path) === weightsFolder())) return;
  throw new UserError(`${weights}: comes with voxgrad; calibrate the run, and export it again`);
}
