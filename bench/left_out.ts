/**
 * `bun bench/left_out.ts SCANS [--weights W] [--pairs 15] [--unchanged 15] [--seed 9] [--json FILE]`: how weights do on
 * generated pairs of scans that they did not see. Each pair is made by the generator, registered and predicted as
 * `predict` does, and scored with the rule of the MSSEG-2 challenge: false lesions on pairs without anything new,
 * lesions found by their volume on the others, and the answer to "any new lesion?" on both. `--rules 0.5:3,0.6:12`
 * scores every pair by other rules too, each a threshold of the map that is written and a volume in mm³.
 * `--keep DIR` writes each pair's visits, and its map, truth and where lesions may lie into DIR/maps, DIR/references and
 * DIR/allowed, for `weights calibrate`.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { UserError } from "../src/core/errors";
import { voxelVolume } from "../src/data/affine";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import type { Mask } from "../src/data/volume";
import { type Findings, findingsOf } from "../src/decision/findings";
import type { LesionRule } from "../src/decision/found_lesions";
import { findLesions, matchLesions, minLesionVoxels } from "../src/eval/lesion_detection";
import { openDevice } from "../src/hosts/bun";
import { writeAtomically } from "../src/platform/atomic_file";
import { isWithoutNetwork, loadModels } from "../src/run/models";
import { openPredictor, type Predictor, readRequest } from "../src/run/predict_pair";
import { checkModels, predictRead } from "../src/run/predict_read";
import type { Background } from "../src/synthesis/background";
import { type GeneratedPair, generatePair } from "../src/synthesis/generate";
import { keptBackground } from "../src/synthesis/kept_background";
import { findMasks, findSources, shapesOfMasks } from "../src/synthesis/sources";
import { makeCommand, say } from "../src/terminal/command";
import { runMain } from "../src/terminal/main";
import { countOrNoneOption, numberOption, pathsOption } from "../src/terminal/options";
import { printResult } from "../src/terminal/result";
import { table } from "../src/terminal/text_table";

interface Options {
  readonly weights?: string[];
  readonly pairs: number;
  readonly unchanged: number;
  readonly seed: number;
  readonly json?: string;
  readonly masks?: string;
  readonly rules: readonly LesionRule[];
  readonly keep?: string;
}

/** Lower bounds of the classes of volume, mm³. */
const CLASSES = [0, 30, 100, 300] as const;
const NOTES = { note: () => {} };

interface Score {
  readonly answer: boolean;
  /** Each true lesion's volume, mm³, and whether it was found. */
  readonly lesions: readonly { readonly mm3: number; readonly found: boolean }[];
  readonly falseLesions: number;
}

interface Scored extends Score {
  readonly index: number;
  readonly scan: string;
  /** Why the pair is not fit for the question, and how many times as much tissues differ at visit 2. */
  readonly reservations: readonly string[];
  readonly contrast?: number;
  /** Of the rules that were given, in their order. */
  readonly byRule: readonly Score[];
}

const program = makeCommand(
  "left_out",
  "Scores weights on generated pairs of scans they never saw.",
)
  .argument("<scans>", "folder of scans, as of synthesise")
  .option("-w, --weights <files>", "as of predict", pathsOption)
  .option("--pairs <n>", "pairs with new lesions", countOrNoneOption, 15)
  .option("--unchanged <n>", "pairs without", countOrNoneOption, 15)
  .option("--masks <dir>", "lesion masks, as of synthesise")
  .option("--seed <n>", "of the generator", numberOption, 9)
  .option("--rules <list>", "further rules, as 0.5:3,0.6:12", rulesOption, [])
  .option("--keep <dir>", "folder for the visits, maps and truth of every pair")
  .option("--json <file>", "every pair");
program.parse();
await runMain(async () => {
  const options = program.opts<Options>();
  const sources = findSources([program.args[0]!]);
  const backgrounds: Background[] = [];
  for (const source of sources) backgrounds.push(await keptBackground(source));
  const shapes = options.masks === undefined ? [] : await shapesOfMasks(findMasks(options.masks));
  if (isWithoutNetwork(options.weights)) throw new UserError("--weights: name a network");
  const models = loadModels(options.weights ?? [], {});
  const request = { models, precision: "f32", tune: "off", tuneSeconds: 0 } as const;
  const bias = checkModels(request, NOTES);
  const predictor = await openPredictor(request, bias, () => openDevice({ quiet: true }), NOTES);
  const wanted = { changed: options.pairs, unchanged: options.unchanged };
  const all: Scored[] = [];
  for (let index = 0; wanted.changed + wanted.unchanged > 0; index++) {
    const background = backgrounds[index % backgrounds.length]!;
    const pair = generatePair(background, shapes, options.seed, index);
    const kind = pair.truth.data.includes(1) ? "changed" : "unchanged";
    if (wanted[kind] === 0) continue;
    wanted[kind]--;
    const row = {
      index,
      scan: background.name,
      ...(await scoreOf(
        predictor,
        pair,
        options,
        `${basename(dirname(background.name))}_${index}`,
      )),
    };
    all.push(row);
    const found = row.lesions.filter((lesion) => lesion.found).length;
    say(
      `pair ${index} ${row.scan}: ${found} of ${row.lesions.length} found, ${row.falseLesions} false, ` +
        `any new lesion: ${row.answer ? "yes" : "no"}, contrast ${row.contrast?.toFixed(2)}` +
        `${row.reservations.length > 0 ? `, not fit: ${row.reservations.join("; ")}` : ""}`,
    );
  }
  printSummary(all);
  const unfit = all.filter(({ reservations }) => reservations.length > 0).map(({ index }) => index);
  if (unfit.length > 0) printResult(`told as not fit for the question: pairs ${unfit.join(", ")}`);
  for (const [k, { threshold, minLesionVolume }] of options.rules.entries()) {
    printResult(`\nat ${threshold} and above ${minLesionVolume} mm³`);
    printSummary(all.map(({ byRule }) => byRule[k]!));
  }
  if (options.json) writeAtomically(options.json, `${JSON.stringify(all, undefined, 1)}\n`);
  process.exit(0);
});

async function scoreOf(
  predictor: Predictor,
  pair: GeneratedPair,
  { rules, keep }: Pick<Options, "rules" | "keep">,
  name: string,
): Promise<Omit<Scored, "index" | "scan">> {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-left-out-"));
  const [t1, t2] = [join(folder, "visit1.nii"), join(folder, "visit2.nii")];
  try {
    await writeVolume(t1, pair.visit1);
    await writeVolume(t2, pair.visit2);
    const read = await readRequest({ ...predictor.request, t1, t2 }, NOTES);
    const { findings, map, allowed, quality } = await predictRead(predictor, read, NOTES);
    if (keep !== undefined) {
      const into = (part: string) => {
        mkdirSync(join(keep, part), { recursive: true });
        return join(keep, part, `${name}.nii.gz`);
      };
      await writeVolume(into("visit1"), pair.visit1);
      await writeVolume(into("visit2"), pair.visit2);
      await writeVolume(into("maps"), map);
      await writeMask(into("references"), pair.truth);
      if (allowed) await writeMask(into("allowed"), allowed);
    }
    const byRule = rules.map((given) => scored(pair, findingsOf(map, {}, { given, allowed })));
    const { reservations, drift } = quality;
    return { ...scored(pair, findings), reservations, contrast: drift.contrast, byRule };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** True lesions and found ones, matched. */
function scored({ truth }: GeneratedPair, { mask, newLesions }: Findings): Score {
  const volume = voxelVolume(truth.affine);
  const lesionsIn = ({ data, size }: Mask) => findLesions(data, size, minLesionVoxels(volume));
  const [real, predicted] = [lesionsIn(truth), lesionsIn(mask)];
  const match = matchLesions(real, predicted);
  return {
    answer: newLesions,
    lesions: match.reference.map((verdict, k) => ({
      mm3: real.voxels(k + 1).length * volume,
      found: verdict === "detected",
    })),
    falseLesions: match.predicted.filter((verdict) => verdict !== "detected").length,
  };
}

function rulesOption(text: string): LesionRule[] {
  return text.split(",").map((rule) => {
    const [threshold = Number.NaN, minLesionVolume = Number.NaN] = rule.split(":").map(Number);
    if (threshold > 0 && threshold < 1 && minLesionVolume >= 0)
      return { threshold, minLesionVolume };
    throw new UserError(`--rules ${rule}: expected a threshold and a volume, such as 0.5:3`);
  });
}

function printSummary(scored: readonly Score[]): void {
  const [changed, unchanged] = [true, false].map((has) =>
    scored.filter(({ lesions }) => lesions.length > 0 === has),
  ) as [Score[], Score[]];
  const lesions = scored.flatMap((pair) => pair.lesions);
  const rows = CLASSES.map((least, k) => {
    const next = CLASSES[k + 1] ?? Number.POSITIVE_INFINITY;
    const those = lesions.filter(({ mm3 }) => mm3 > least && mm3 <= next);
    const found = those.filter((lesion) => lesion.found).length;
    return [
      `above ${least} mm³${k + 1 < CLASSES.length ? ` to ${next}` : ""}`,
      `${found}`,
      `${those.length}`,
    ];
  });
  printResult(table([["volume", "found", "of"], ...rows]).join("\n"));
  const sum = (pairs: readonly Score[]) => pairs.reduce((n, pair) => n + pair.falseLesions, 0);
  const said = (pairs: readonly Score[], answer: boolean) =>
    `${pairs.filter((pair) => pair.answer === answer).length} of ${pairs.length}`;
  const large = lesions.filter(({ mm3 }) => mm3 > 30);
  printResult(
    `found above 30 mm³: ${large.filter((lesion) => lesion.found).length} of ${large.length}\n` +
      `pairs without new lesions: ${sum(unchanged)} false lesions on ${unchanged.length}; answered "no": ${said(unchanged, false)}\n` +
      `pairs with new lesions: ${sum(changed)} false lesions on ${changed.length}; answered "yes": ${said(changed, true)}`,
  );
}
