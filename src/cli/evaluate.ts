import { Option } from "commander";
import { readMask } from "../data/nifti_read";
import type { Connectivity } from "../eval/components";
import { type Evaluation, evaluateMasks, HIT_SHARE, type Lesion } from "../eval/lesions";
import { makeCommand } from "./command";
import { runMain } from "./main";

interface Options {
  readonly reference: string;
  readonly prediction: string;
  readonly connectivity: string;
  readonly json?: boolean;
}

const program = makeCommand("evaluate", "Scores a lesion mask against the reference.")
  .requiredOption("--reference <file>", "NIfTI mask of the true new lesions")
  .requiredOption("--prediction <file>", "NIfTI mask to score, on the same grid")
  .addOption(
    new Option("--connectivity <n>", "voxels of a lesion touch by 6 faces, 18 or 26 neighbours")
      .choices(["6", "18", "26"])
      .default("6"),
  )
  .option("--json", "print JSON instead of tables");
program.parse();
await runMain(() => evaluate(program.opts<Options>()));

async function evaluate(options: Options): Promise<void> {
  const [reference, prediction] = await Promise.all([
    read(options.reference),
    read(options.prediction),
  ]);
  const result = evaluateMasks(reference, prediction, Number(options.connectivity) as Connectivity);
  console.log(options.json ? json(result, options) : tables(result));
}

async function read(path: string) {
  const mask = await readMask(path);
  for (const note of mask.notes) console.error(note);
  return { ...mask, name: path };
}

/** Names and meanings are a contract with scripts; `format` rises when one of them changes. */
function json(result: Evaluation, { reference, prediction }: Options): string {
  const { referenceLesions, predictedLesions, ...voxels } = result;
  const report = {
    format: 1,
    reference,
    prediction,
    ...voxels,
    hitShare: HIT_SHARE,
    referenceLesions: referenceLesions.map(({ hit, ...lesion }) => ({ ...lesion, found: hit })),
    predictedLesions: predictedLesions.map(({ hit, ...lesion }) => ({
      ...lesion,
      truePositive: hit,
    })),
  };
  return JSON.stringify(report, null, 2);
}

function tables(result: Evaluation): string {
  const { referenceLesions, predictedLesions, truePositives } = result;
  const reference = truePositives + result.falseNegatives;
  const prediction = truePositives + result.falsePositives;
  const ml = (voxels: number) => ((voxels * result.voxelVolumeMm3) / 1000).toFixed(3);
  const hits = (lesions: readonly Lesion[]) => lesions.filter(({ hit }) => hit).length;
  const falseOnes = predictedLesions.length - hits(predictedLesions);
  const empty = reference + prediction === 0 ? " (both masks are empty)" : "";
  const touching = { 6: "faces", 18: "faces or edges", 26: "faces, edges or corners" };
  return [
    `Dice               ${result.dice.toFixed(4)}${empty}`,
    `lesions found      ${hits(referenceLesions)} of ${referenceLesions.length}`,
    `false lesions      ${falseOnes} of ${predictedLesions.length} predicted`,
    `volume             reference ${ml(reference)} ml, predicted ${ml(prediction)} ml, both ${ml(truePositives)} ml`,
    ...lesionTable("Reference lesions", referenceLesions, ["found", "missed"]),
    ...lesionTable("Predicted lesions", predictedLesions, ["true", "false"]),
    "",
    `A lesion is a set of voxels connected by ${touching[result.connectivity]}. It is found (true) when`,
    `at least ${100 * HIT_SHARE} % of its voxels lie in the other mask (column "overlap").`,
  ].join("\n");
}

type Words = readonly [hit: string, not: string];

function lesionTable(title: string, lesions: readonly Lesion[], [hit, not]: Words): string[] {
  if (lesions.length === 0) return [];
  const rows = lesions.map((lesion) => [
    String(lesion.id),
    lesion.hit ? hit : not,
    lesion.volumeMm3.toFixed(1),
    `${(100 * lesion.overlap).toFixed(1)} %`,
    ...lesion.centreMm.map((mm) => mm.toFixed(1)),
  ]);
  const head = ["no.", "", "volume/mm³", "overlap", "right/mm", "anterior/mm", "superior/mm"];
  const width = head.map((text, c) => Math.max(text.length, ...rows.map((row) => row[c]!.length)));
  const pad = (cell: string, c: number) =>
    c === 1 ? cell.padEnd(width[c]!) : cell.padStart(width[c]!);
  return ["", title, ...[head, ...rows].map((row) => row.map(pad).join("  "))];
}
