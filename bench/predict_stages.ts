/**
 * The table "time of each stage" of docs/guides/inference.md, in seconds of all processors: on a machine that
 * does other work too these say more than a clock. bun bench/predict_stages.ts T1 T2 [WEIGHTS]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "../src/hosts/bun";
import { changeOfFiles, writeChange } from "../src/run/change_pair";
import { loadModels } from "../src/run/models";
import { predictFiles, writeAnswer } from "../src/run/predict_pair";
import { printResult } from "../src/terminal/result";
import { Stages } from "../src/terminal/stages";

const [t1, t2, weights] = process.argv.slice(2) as [string, string, string?];
const processorSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const stages = new Stages(processorSeconds);
stages.ended("start");
const observer = { note: () => {}, onStage: (stage: string) => stages.ended(stage) };
const open = () => openDevice({ quiet: true });
const folder = mkdtempSync(join(tmpdir(), "voxgrad-stages-"));
const output = join(folder, "mask.nii.gz");
if (weights) {
  const models = loadModels([weights], {});
  const request = { t1, t2, models, precision: "f32", tune: "off", tuneSeconds: 0 } as const;
  await writeAnswer(await predictFiles(request, open, observer), models, { output });
} else await writeChange(await changeOfFiles({ t1, t2 }, open, observer), output);
stages.ended("writing");
printResult(stages.table());
rmSync(folder, { recursive: true });
process.exit(0);
