/** `bun run register`: see docs/guides/registration.md. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { MOTION_COLUMNS, type MotionKind } from "../../kernels/registration/motion";
import { UserError } from "../core/errors";
import { describeGrid } from "../data/affine";
import { itkTransformText } from "../data/itk_transform";
import { writeVolume } from "../data/nifti_write";
import { readVisits, SCAN_TEXT } from "../dicom/read_visits";
import { Memory } from "../gpu/memory";
import { openDevice } from "../hosts/bun";
import { drawRegistration } from "../pictures/registration";
import { writeAtomically } from "../platform/atomic_file";
import { align, alignmentText, findBrains, onMiddleGrid } from "../register/align";
import { residualAndWeights } from "../register/residual";
import { rotationDegrees } from "../register/rigid";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { checkPaths, given, givenScan } from "../terminal/command_paths";
import { runMain } from "../terminal/main";
import { printResult } from "../terminal/result";
import { Stages } from "../terminal/stages";
import { SERIES_OPTION } from "./predict/series_option";

/** Written into the folder. */
const FILES = [
  ...(["visit1.nii.gz", "visit2.nii.gz", "residual.nii.gz", "weights.nii.gz"] as const),
  ...(["middle_to_visit1.txt", "middle_to_visit2.txt"] as const),
  ...(["registration.json", "registration.png"] as const),
] as const;

interface Options {
  readonly out: string;
  readonly motion: MotionKind;
  readonly series?: number[];
  readonly adapter?: string;
}

const program = makeCommand(
  "register",
  "Aligns two scans of one head half-way between them, and writes both there, with the transforms.",
)
  .argument("<visit1>", `FLAIR of the first visit, ${SCAN_TEXT}`)
  .argument("<visit2>", `FLAIR of the second visit, ${SCAN_TEXT}`)
  .requiredOption("--out <dir>", "folder to write into; made if it is not there")
  .addOption(
    new Option("--motion <kind>", "rigid (6 numbers) or affine (12 numbers)")
      .choices(Object.keys(MOTION_COLUMNS))
      .default("rigid" satisfies MotionKind),
  )
  .option(...SERIES_OPTION)
  .option(...ADAPTER_OPTION);
program.parse();
await runMain(() => main(program.args as [string, string], program.opts<Options>()));

async function main([path1, path2]: [string, string], options: Options): Promise<void> {
  const stages = new Stages();
  const to = (name: (typeof FILES)[number]) => join(options.out, name);
  checkPaths({
    reads: [givenScan("<visit1>", path1), givenScan("<visit2>", path2)],
    writes: existsSync(options.out) ? [given("--out", FILES.map(to))] : [],
    fills: [given("--out", options.out)],
  });
  const [{ image: visit1 }, { image: visit2 }] = await readVisits([path1, path2], options, say);
  for (const note of [...visit1.notes, ...visit2.notes]) say(note);
  stages.ended("reading images");
  const device = await openDevice({ adapter: options.adapter });
  say(device.describe());
  const memory = new Memory(device);
  stages.ended("opening the adapter");
  const { brains = [undefined, undefined], notes } = findBrains(visit1, visit2);
  for (const note of notes) say(note);
  stages.ended("looking for the brain");
  const found = await align(memory, visit1, visit2, {
    ...{ mode: "always", kind: options.motion, brains },
  });
  const { registration: pose, trusted, mirrored } = found;
  stages.ended("registration");
  if (!pose) {
    throw new UserError(
      `${path1} and ${path2}: one of them shows no head (all its voxels are alike); check the images`,
    );
  }
  const [middle1, middle2] = await onMiddleGrid(memory, visit1, visit2, pose);
  const { residual, weights } = residualAndWeights(middle1, middle2, pose);
  stages.ended("resampling");
  mkdirSync(options.out, { recursive: true });
  await Promise.all([
    writeVolume(to("visit1.nii.gz"), middle1),
    writeVolume(to("visit2.nii.gz"), middle2),
    writeVolume(to("residual.nii.gz"), residual),
    writeVolume(to("weights.nii.gz"), weights),
  ]);
  writeAtomically(to("middle_to_visit1.txt"), itkTransformText(pose.toVisit1));
  writeAtomically(to("middle_to_visit2.txt"), itkTransformText(pose.toVisit2));
  const line = alignmentText(found);
  const report = {
    visit1: path1,
    visit2: path2,
    motion: options.motion,
    /** Row-major 4 × 4, mm, RAS: a point of visit 1 → the same point of the head at visit 2. */
    visit1ToVisit2: pose.transform,
    rotationDegrees: rotationDegrees(pose.transform),
    movedMm: pose.moved,
    similarityBefore: pose.similarityBefore,
    similarity: pose.similarity,
    residual: pose.fit.scale,
    intensityScale: Math.exp(pose.logScale),
    trusted,
    mirrored,
  };
  writeAtomically(to("registration.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  const picture = { visit1: middle1, visit2: middle2, title: "Registration", facts: line };
  drawRegistration({ ...picture, path: to("registration.png") });
  stages.ended("writing");
  say(stages.table());
  printResult(line);
  printResult(`middle grid: ${describeGrid(middle1)}; written to ${options.out}`);
  if (trusted) return;
  const why = mirrored
    ? "visit 2 is more like visit 1 when its left and right are swapped: check the headers"
    : "the two scans are not alike enough to be of one head and one contrast: check that they are";
  throw new UserError(
    `registration is not to be trusted (similarity ${pose.similarity.toFixed(2)}): ${why}`,
  );
}
