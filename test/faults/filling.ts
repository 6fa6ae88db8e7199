/**
 * Trainings whose disk fills up while they run: one line, nothing half written, and with room they go on
 * to the same weights.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../src/data/safetensors_file";
import { bunRun, judgeRefusal, judgeSuccess } from "./command";
import { type Case, type Context, GOOD, type Part } from "./part";
import { type Rig, training, writeRig } from "./rig";
import { mountLacking } from "./trouble";

const ITERATIONS = 60;
const SIZES = 4;
/** The run has them when it begins, when it has trained, and when it has a checkpoint. */
const MOMENTS = ["config.json", "metrics.jsonl", "last.state.safetensors"] as const;
const WEIGHTS = "last.safetensors";

/**
 * Trains on a file system of 64 MiB that is mounted on $0. As soon as the run has its file $4, another file
 * takes all of it but $1 KiB. Where the training fails, that file goes, and the script $2 goes on. Copies the weights
 * to $3. Exit code 98: a temporary file is left; 97: the training went on and failed.
 */
const TRAIN = `
place=$0; room=$1; bun=$2; copy=$3; file=$4; shift 4
mount -t tmpfs -o size=64m tmpfs "$place" || exit 99
"$@" &
child=$!
until [ -e "$place/run/$file" ]; do kill -0 "$child" || exit 96; sleep 0.02; done
free=$(df --output=avail -k "$place" | tail -n 1)
head -c "$(((free - room) * 1024))" /dev/zero > "$place/fill"
wait "$child"
code=$?
if [ "$code" != 0 ]; then
  rm "$place/fill"
  [ -z "$(find "$place" -name ".voxgrad*")" ] || { find "$place" >&2; exit 98; }
  "$bun" run train --resume "$place/run" 2> "$copy.err" || { cat "$copy.err" >&2; exit 97; }
fi
cp "$place/run/${WEIGHTS}" "$copy"
exit "$code"`;

const kibibytes = (folder: string): number => {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const bytes = entries.map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  return Math.ceil(bytes.reduce((sum, n) => sum + 4096 * Math.ceil(n / 4096), 0) / 1024);
};

interface Shortage {
  /** KiB that are left. */
  readonly room: number;
  /** The file of the run that it comes after. */
  readonly file: string;
}

async function trained(rig: Rig, whole: string, { room, file }: Shortage, folder: string) {
  const place = join(folder, "place");
  const copy = join(folder, `${file}-${room}.safetensors`);
  const parameters = [place, `${room}`, process.execPath, copy, file];
  const before = ["unshare", "-m", "sh", "-c", TRAIN, ...parameters];
  const left = await bunRun(trainingOf(rig, join(place, "run")), { before });
  const tried =
    left.code === 0
      ? judgeSuccess(left)
      : judgeRefusal(left, /cannot be written[^\n]*disk is full/);
  if (!GOOD.includes(tried.end)) return tried;
  const [a, b] = [copy, join(whole, WEIGHTS)].map((path) => readSafetensors(path).tensors);
  return Bun.deepEquals(a, b)
    ? tried
    : ({ ...tried, end: "silent", text: "other weights" } as const);
}

const trainingOf = (rig: Rig, out: string) => [
  ...[...training(rig, out, ITERATIONS), "--validate-every", "0.25"],
];

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
    const { code, err } = await bunRun(trainingOf(rig, whole));
    if (code !== 0) throw new Error(err);
    const all = kibibytes(whole);
    return MOMENTS.flatMap((file) =>
      Array.from({ length: SIZES }, (_, i): Case => {
        const room = 4 * Math.ceil((i * all) / SIZES / 4);
        const id = `from ${file} on, room for ${room} of ${all} KiB`;
        return { id, run: () => trained(rig, whole, { room, file }, folder) };
      }),
    );
  },
};
