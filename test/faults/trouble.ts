/** Places where nothing can be written: a file system that is full or read-only, missing rights. */
import { join } from "node:path";
import { lacking } from "./command";

/**
 * Mounts a file system of $1 bytes on $0, puts the old files $4 into it, takes all but $2 bytes of the
 * room, makes it read-only if $3 says so, runs the command. Exit code 98: an old file was changed, or a
 * temporary one is left; otherwise the command's.
 */
const MOUNTED = `
place=$0; size=$1; spare=$2; mode=$3; old=$4; shift 4
mount -t tmpfs -o "size=$size" tmpfs "$place" || exit 99
for name in $old; do echo old > "$place/$name"; done
if [ "$spare" != all ]; then
  head -c "$spare" /dev/zero > "$place/spare"
  (cat /dev/zero > "$place/fill") 2> /dev/null
  rm "$place/spare"
fi
mount -o "remount,$mode" "$place" || exit 99
"$@"
code=$?
[ "$code" = 0 ] && exit 0
for name in $old; do
  [ "$(cat "$place/$name")" = old ] || { echo "changed: $name" >&2; code=98; }
done
[ -z "$(find "$place" -name ".voxgrad*")" ] || { find "$place" >&2; code=98; }
exit "$code"`;

export interface Trouble {
  readonly name: string;
  /** The refusal says this. */
  readonly says: RegExp;
  /** Whether a command may come through, where what it writes is small. */
  readonly mayFit: boolean;
  /** A program that runs a command with this trouble in a folder that holds old files. */
  before(folder: string, old: readonly string[]): string[];
}

function mounted(
  name: string,
  says: RegExp,
  [spare, mode]: readonly [spare: string, mode: "rw" | "ro"],
): Trouble {
  return {
    ...{ name, says, mayFit: spare !== "0" && mode === "rw" },
    before: (folder, old) => [
      ...["unshare", "-m", "sh", "-c", MOUNTED],
      ...[folder, "256k", spare, mode, old.join(" ")],
    ],
  };
}

const FULL = /cannot (be written|write)[^\n]*(disk is full|ENOSPC|no space)/i;
export const FULL_DISK = mounted("a full disk", FULL, ["0", "rw"]);
/** One page is left: enough for a small file. */
export const NEARLY_FULL = mounted("a disk that fills up", FULL, ["4096", "rw"]);
export const READ_ONLY = mounted(
  "a read-only disk",
  /cannot (be written|write)[^\n]*(read-only|EROFS)/i,
  ["all", "ro"],
);

/** Root may write everywhere; without these capabilities it is as any user. */
const AS_USER = [
  ...["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"],
  "--inh-caps=-all",
];
export const asUser = (): readonly string[] => (process.getuid?.() === 0 ? AS_USER : []);

export const NO_RIGHTS = {
  name: "missing rights",
  says: /cannot (be written|write)[^\n]*(no permission|EACCES|EPERM|permission denied)/i,
} as const;

export const mountLacking = (): string | undefined =>
  lacking("unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt");

export const rightsLacking = (): string | undefined =>
  process.getuid?.() === 0 ? lacking("setpriv", ...AS_USER.slice(1), "true") : undefined;

/** A folder of the rig. */
export const placeIn = (folder: string): string => join(folder, "place");
