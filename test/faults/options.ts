/** Nonsense on the command line, for every command: a line that names the option, exit code 2. */
import { join } from "node:path";
import { writeCohort } from "./cohort";
import { bunRun, judgeRefusal } from "./command";
import { type Case, type Context, type Part, thinned } from "./part";

/** A line and what its refusal says. Words are separated by one space; '' is an empty one, DATA a cohort. */
type Line = readonly [line: string, says: RegExp];

const train = (options: string, says: RegExp): Line => [`train --data none ${options}`, says];
const predict = (options: string, says: RegExp): Line => [
  `predict -t1 a.nii -t2 b.nii -o c.nii ${options}`,
  says,
];

const TRAIN: readonly Line[] = [
  train("--iterations abc", /--iterations.*abc/),
  train("--iterations -5", /--iterations/),
  train("--iterations 1.5", /--iterations/),
  train("--iterations 0", /--iterations/),
  train("--iterations 0x10", /--iterations/),
  train("--iterations 1e999", /--iterations/),
  train("--iterations NaN", /--iterations/),
  train("--iterations ''", /--iterations/),
  train("--budget 3", /--budget/),
  train("--budget 0h", /--budget/),
  train("--budget -3h", /--budget/),
  train("--budget 999999999999999999h", /--budget/),
  train("--budget 3h --iterations 5", /--budget and --iterations exclude/),
  train("--seed -1", /--seed/),
  train("--seed 1e300", /--seed/),
  train("--spacing 1e-9", /--spacing/),
  train("--spacing 0", /--spacing/),
  train("--spacing wide", /--spacing/),
  train("--patch 15", /--patch/),
  train("--patch 1e9", /--patch/),
  train("--patch 0", /--patch/),
  train("--stride 1000", /--stride 1000 leaves gaps/),
  train("--filters 8", /--filters/),
  train("--filters 8,8,8,8", /--filters/),
  train("--filters 8,-8,8", /--filters/),
  train("--filters 9,9,9", /multiple of the 8 norm groups/),
  train("--filters 1e9,8,8", /--filters/),
  train("--groups 0", /--groups/),
  train("--groups 7", /norm groups/),
  train("--batch 0", /--batch/),
  train("--pool 1 --batch 100", /--pool|--batch/),
  train("--pool 1000000", /--pool/),
  train("--batch 99999999 --pool 999999999", /--pool/),
  train("--loss focal-tversky --tversky-gamma 1e-300", /--tversky-gamma/),
  train("--mu 2", /--mu/),
  train("--mu NaN", /--mu/),
  train("--positive 1.1", /--positive/),
  train("--positive -0", /--positive|no such folder|none/),
  train("--dice-epsilon 1e300", /--dice-epsilon/),
  train("--dice-epsilon -1", /--dice-epsilon/),
  train("--learning-rate 0", /--learning-rate/),
  train("--learning-rate Infinity", /--learning-rate/),
  train("--loss dise", /--loss.*dise/),
  train("--loss constructor", /--loss/),
  train("--preset papier", /--preset/),
  train("--preset __proto__", /--preset/),
  train("--sampler none", /--sampler/),
  train("--augment fly", /--augment/),
  train("--mirror xq", /--mirror/),
  train("--precision f8", /--precision/),
  train("--volume-budget lots", /--volume-budget/),
  train("--volume-budget 0M", /--volume-budget/),
  train("--validate-every 2", /--validate-every/),
  train("--report-every -1", /--report-every/),
  train("--tune maybe", /--tune/),
  train("--tune-seconds 0", /--tune-seconds/),
  train("--adapter nothing-like-it", /nothing-like-it/),
  ["train --data DATA --folds 1", /--folds 1/],
  ["train --data DATA --folds 2.5", /--folds 2\.5/],
  ["train --data DATA --folds 100", /--folds 100/],
  ["train --data DATA --fold 9", /--fold 9/],
  ["train --data DATA --val p01,p09", /--val/],
  train("--tversky-alpha 0.3", /--tversky-alpha/),
  train("--from none.safetensors", /none\.safetensors/),
  train("--from README.md", /README\.md: not a usable safetensors/),
  train("--from-parts head", /--from-parts/),
  train("--patience 0", /--patience/),
  train("--nonsense", /--nonsense/),
  train("--out", /--out/),
  train("more words", /too many arguments|more/),
  ["train --resume none", /none/],
  ["train --resume /dev/null", /\/dev\/null/],
  ["train --data /dev/null --iterations 1", /\/dev\/null/],
  ["train --val p01 --data none", /none/],
];

const PREDICT: readonly Line[] = [
  ["predict", /required option/],
  ["predict -t1 a.nii", /required option/],
  predict("-w none.safetensors", /none\.safetensors/),
  predict("-w ,", /-w|weights/),
  predict("-w /dev/zero", /\/dev\/zero: is a device/),
  predict("-w README.md", /README\.md: not a usable safetensors/),
  predict("--threshold 2", /--threshold/),
  predict("--threshold half", /--threshold/),
  predict("--min-lesion-volume -1", /--min-lesion-volume/),
  predict("--stride 0", /--stride/),
  predict("--stride 1.5", /--stride/),
  predict("--mirror q", /--mirror/),
  predict("--window-weights flat", /--window-weights/),
  predict("--precision f64", /--precision/),
  predict("--batch 1e99", /--batch/),
  predict("-w none,runs", /none stands alone/),
  predict("-w shipped:nothing", /no such weights come with voxgrad/),
  predict("--operating-point bold", /--operating-point/),
  predict("-w none --operating-point sensitive", /--operating-point sensitive|no such file/),
  predict("--unknown 1", /--unknown/),
];

const OTHERS: readonly Line[] = [
  ["evaluate", /evaluate needs either/],
  ["evaluate --reference none.nii --prediction none.nii", /none\.nii: no such file/],
  ["evaluate --reference a --references b", /evaluate needs either/],
  ["evaluate --references none --predictions none", /none/],
  ["evaluate --connectivity 7", /--connectivity/],
  ["view none", /none: no such folder/],
  ["view README.md", /README\.md: is a file/],
  ["view --port 0", /--port/],
  ["evaluate --reference a --prediction b --reliability c", /--reliability draws/],
  ["weights list more", /too many arguments/],
  ["weights export none --name n", /required option/],
  ["weights export none --name ../n --trained-on x --licence y", /--name/],
  ["weights calibrate none", /none/],
  ["weights calibrate none --maps docs", /--maps and --references/],
  ["selftest -t1 a.nii", /required option/],
  ["selftest -t1 a.nii -t2 b.nii --sizes 0", /--sizes/],
  ["selftest -t1 a.nii -t2 b.nii --lesions 0", /--lesions/],
  ["selftest -t1 a.nii -t2 b.nii --contrast -1", /--contrast/],
  ["register a.nii", /required option .--out/],
  ["register none.nii none.nii --out o --motion elastic", /--motion/],
  ["register none.nii none.nii --out o", /none\.nii: no such file/],
  ["phantom", /missing required argument/],
  ["phantom none/x --patients -1", /patients is -1/],
  ["phantom none/x --patients 1.5", /patients is 1\.5/],
  ["phantom none/x --spacing 0", /spacing is 0/],
  ["phantom none/x --field-of-view 1", /field of view is 1/],
  ["phantom none/x --field-of-view 1e9,1e9,1e9", /field of view is 1000000000/],
  ["phantom README.md", /README\.md: is a file/],
  ["phantom docs", /docs: is not empty/],
  ["synthesise none out", /none/],
  ["synthesise docs out --pairs 0", /--pairs/],
  ["experiment none", /none/],
  ["experiment README.md", /README\.md/],
  ["experiment fig2 --budget-each 5", /--budget-each/],
  ["experiment fig2 --processes 0", /--processes/],
  ["import elsewhere a b", /elsewhere/],
  ["import ljubljana none out", /none/],
  ["adapters --json yes", /too many arguments/],
  ["cache --clear scans", /--clear scans/],
  ["cache --max-size lots", /--max-size/],
  ["tune --preset papier", /papier/],
  ["tune --tune-seconds -1", /--tune-seconds/],
  ["bench nonsense", /nonsense/],
  ["bench --repetitions 0", /--repetitions/],
  ["portability --case no.such.case --short", /no\.such\.case/],
  ["portability --implementation netscape", /netscape/],
  ["portability --timeout 0", /--timeout/],
  ["portability --compare one.json", /--compare/],
  ["faults --only nothing", /--only nothing/],
  ["faults --seed -1", /--seed/],
];

/** All of them. */
export const NONSENSE: readonly Line[] = [...TRAIN, ...PREDICT, ...OTHERS];

/** Enough for CI: of every command one, more of train. */
const FEW = 12;

const words = (line: string, data: string) =>
  line.split(" ").map((word) => (word === "''" ? "" : word === "DATA" ? data : word));

export const options: Part = {
  name: "options",
  title: "nonsense on the command line of every command",
  seconds: 150,
  cases: async ({ folder, short }: Context): Promise<Case[]> => {
    const data = join(folder, "data");
    await writeCohort(data, 3);
    return thinned(NONSENSE, short, FEW).map(([line, says]) => ({
      id: `bun run ${line}`,
      run: async () => judgeRefusal(await bunRun(words(line, data)), says),
    }));
  },
};
