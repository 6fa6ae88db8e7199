/**
 * Trainings whose disk fills up while they run: one line, nothing half written, and with room they go on
 * to the same weights.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../src/data/safetensors_file";
import { bunRun, judgeRefusal, judgeSuccess } from "./command";
import type { Case, Context, Part, Tried } from "./part";
import { type Rig, training, writeRig } from "./rig";
import { mountLacking } from "./trouble";

const ITERATIONS = 12;
const SIZES = 12;
const WEIGHTS = "last.safetensors";

/**
 * Trains on a file system of $1 KiB that is mounted on $0; where that fails, gives it room and goes on, by
 * the script $2. Copies the weights to $3. Exit code 97: the training went on and failed.
 */
const TRAIN = `
place=$0; size=$1; bun=$2; copy=$3; shift 3
mount -t tmpfs -o "size=\${size}k" tmpfs "$place" || exit 99
"$@"
code=$?
if [ "$code" != 0 ]; then
  mount -o remount,size=64m "$place" || exit 99
  [ -z "$(find "$place" -name ".voxgrad*")" ] || { find "$place" >&2; exit 98; }
  if [ -e "$place/run/config.json" ]; then
    "$bun" run train --resume "$place/run" 2> "$copy.err" || { cat "$copy.err" >&2; exit 97; }
  fi
fi
cp "$place/run/${WEIGHTS}" "$copy" 2> /dev/null
exit "$code"`;

const kibibytes = (folder: string): number => {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const bytes = entries.map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  return Math.ceil(bytes.reduce((sum, n) => sum + 4096 * Math.ceil(n / 4096), 0) / 1024);
};

async function trained(rig: Rig, whole: string, folder: string, size: number): Promise<Tried> {
  const place = join(folder, "place");
  const copy = join(folder, `${size}.safetensors`);
  const before = [
    ...["unshare", "-m", "sh", "-c", TRAIN, place, `${size}`, process.execPath, copy],
  ];
  const left = await bunRun(training(rig, join(place, "run"), ITERATIONS), { before });
  const tried =
    left.code === 0
      ? judgeSuccess(left)
      : judgeRefusal(left, /cannot be written[^\n]*disk is full/);
  if (!["refused", "right"].includes(tried.end) || !(await Bun.file(copy).exists())) return tried;
  const [a, b] = [copy, join(whole, WEIGHTS)].map((path) => readSafetensors(path).tensors);
  return Bun.deepEquals(a, b) ? tried : { ...tried, end: "silent", text: "other weights" };
}

export const filling: Part = {
  name: "filling",
  title: "trainings whose disk fills up, and that go on when there is room",
  seconds: 300,
  longOnly: true,
  missing: mountLacking,
  cases: async ({ folder }: Context): Promise<Case[]> => {
    const rig = await writeRig(join(folder, "rig"));
    const whole = join(folder, "whole");
    mkdirSync(join(folder, "place"));
    const { code, err } = await bunRun(training(rig, whole, ITERATIONS));
    if (code !== 0) throw new Error(err);
    const all = kibibytes(whole);
    return Array.from({ length: SIZES }, (_, i) => {
      const size = 4 * Math.ceil(((i + 1) * all) / (SIZES + 1) / 4);
      return { id: `${size} of ${all} KiB`, run: () => trained(rig, whole, folder, size) };
    });
  },
};
