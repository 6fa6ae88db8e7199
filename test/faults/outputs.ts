/** Every file that a command writes, where it cannot be written: one line, and nothing is changed. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bunRun, judgeRefusal, judgeSuccess, type Left, lacking } from "./command";
import { type Case, type Context, type Part, type Tried, thinned } from "./part";
import { type Rig, training, writeRig } from "./rig";
import {
  asUser,
  FULL_DISK,
  mountLacking,
  NEARLY_FULL,
  NO_RIGHTS,
  READ_ONLY,
  rightsLacking,
  type Trouble,
} from "./trouble";

const FEW = 4;

/** A command that writes into a folder. */
interface Output {
  readonly id: string;
  /** Files there that it would replace. */
  readonly old: readonly string[];
  readonly args: (rig: Rig, place: string) => readonly string[];
  readonly env?: (place: string) => Readonly<Record<string, string>>;
}

const evaluate = ({ mask }: Rig) => ["evaluate", "--reference", mask, "--prediction", mask];
const elsewhere = (rig: Rig) => join(rig.data, "..", "elsewhere.nii.gz");
const cacheIn = (place: string) => ({
  VOXGRAD_CACHE: join(place, "cache"),
  VOXGRAD_NO_DOWNLOAD: "1",
});
const ONE_CASE = ["portability", "--case", "relu/*", "--implementation", "bun", "--short"];
const GRID = JSON.stringify({
  ...{ title: "t", question: "q", seeds: [0] },
  ...{ figures: [{ name: "f", title: "f", baseline: "a", arms: { a: {} } }] },
});

const OUTPUTS: readonly Output[] = [
  {
    ...{ id: "predict -o", old: ["m.nii.gz"] },
    args: ({ pair }, place) => ["predict", ...pair, "-o", join(place, "m.nii.gz")],
  },
  {
    ...{ id: "predict --probability", old: ["p.nii"] },
    args: (rig, place) => [
      ...["predict", ...rig.pair, "-o", elsewhere(rig), "--probability", join(place, "p.nii")],
    ],
  },
  {
    ...{ id: "predict --report", old: ["r.json"] },
    args: (rig, place) => [
      ...["predict", ...rig.pair, "-o", elsewhere(rig), "--report", join(place, "r.json")],
    ],
  },
  {
    ...{ id: "evaluate --csv", old: ["x.csv"] },
    args: (rig, place) => [...evaluate(rig), "--csv", join(place, "x.csv")],
  },
  {
    ...{ id: "evaluate --json", old: ["x.json"] },
    args: (rig, place) => [...evaluate(rig), "--json", join(place, "x.json")],
  },
  {
    ...{ id: "register --out", old: ["visit1.nii.gz"] },
    args: ({ head }, place) => ["register", ...head, "--out", place],
  },
  { ...{ id: "phantom", old: [] }, args: (_, place) => ["phantom", join(place, "out")] },
  {
    ...{ id: "synthesise", old: [] },
    args: ({ heads }, place) => ["synthesise", heads, join(place, "out"), "--pairs", "2"],
  },
  {
    ...{ id: "synthesise --picture", old: ["x.png"] },
    args: ({ heads }, place) => [
      ...["synthesise", heads, join(heads, "..", "synthetic"), "--pairs", "1"],
      ...["--picture", join(place, "x.png")],
    ],
  },
  {
    ...{ id: "import", old: [] },
    args: ({ published }, place) => ["import", "ljubljana", published, join(place, "out")],
  },
  {
    ...{ id: "train --out", old: [] },
    args: (rig, place) => training(rig, join(place, "run"), 4),
  },
  {
    ...{ id: "train --folds", old: [] },
    args: (rig, place) => {
      const [, ...rest] = training(rig, join(place, "cv"), 4);
      const noVal = rest.filter((word) => word !== "--val" && word !== "p01,p02");
      return ["train", ...noVal, "--folds", "2"];
    },
  },
  {
    ...{ id: "experiment --out", old: [] },
    args: ({ data }, place) => [
      ...["experiment", join(data, "..", "grid.yaml"), "--data", data],
      ...["--iterations-each", "1", "--preset", "small", "--out", join(place, "experiment")],
    ],
  },
  {
    ...{ id: "bench --json", old: ["b.json"] },
    args: (_, place) => ["bench", "ceilings", "--json", join(place, "b.json")],
  },
  {
    ...{ id: "portability --json", old: ["p.json"] },
    args: (_, place) => [...ONE_CASE, "--json", join(place, "p.json")],
  },
  {
    ...{ id: "portability --html", old: ["p.html"] },
    args: (_, place) => [...ONE_CASE, "--html", join(place, "p.html")],
  },
  {
    ...{ id: "faults --json", old: ["f.json"] },
    args: (_, place) => ["faults", "--only", "weights", "--json", join(place, "f.json")],
  },
  {
    ...{ id: "the cache, for drivers", old: [] },
    ...{ args: () => ["adapters"], env: cacheIn },
  },
  {
    ...{ id: "the cache, for choices of kernels", old: [] },
    ...{ args: () => ["tune", "--preset", "small", "--tune-seconds", "1"], env: cacheIn },
  },
];

function judge(left: Left, { says, mayFit }: Pick<Trouble, "says" | "mayFit">): Tried {
  if (mayFit && left.code === 0) return judgeSuccess(left);
  return judgeRefusal(left, says);
}

const onDisk = (
  { id, old, args, env }: Output,
  trouble: Trouble,
  rig: Rig,
  place: string,
): Case => ({
  id: `${id}, ${trouble.name}`,
  run: async () => {
    const before = trouble.before(place, old);
    return judge(await bunRun(args(rig, place), { before, env: env?.(place) }), trouble);
  },
});

const entries = (folder: string): string[] =>
  readdirSync(folder).map((name) => `${name}: ${readFileSync(join(folder, name))}`);

/** @param what has no rights: the folder, or the files that would be replaced */
function withoutRights(output: Output, what: "folder" | "file", rig: Rig, folder: string): Case {
  return {
    id: `${output.id}, no rights for the ${what}`,
    run: async () => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      for (const name of output.old) {
        writeFileSync(join(folder, name), "old", { mode: what === "file" ? 0o444 : 0o644 });
      }
      if (what === "folder") chmodSync(folder, 0o555);
      const before = entries(folder);
      const how = { before: asUser(), env: output.env?.(folder) };
      const left = await bunRun(output.args(rig, folder), how);
      const after = entries(folder);
      chmodSync(folder, 0o755);
      if (!Bun.deepEquals(before, after)) {
        return { end: "silent", text: `${before} became ${after}\n${left.err}` };
      }
      return judge(left, { ...NO_RIGHTS, mayFit: false });
    },
  };
}

async function prepared({ folder }: Context) {
  const rig = await writeRig(join(folder, "rig"));
  writeFileSync(join(rig.data, "..", "grid.yaml"), GRID);
  const place = join(folder, "place");
  mkdirSync(place);
  return { rig, place };
}

export const disks: Part = {
  name: "disks",
  title: "every output on a full disk, on one that fills up, on a read-only one",
  seconds: 200,
  missing: mountLacking,
  cases: async (context: Context): Promise<readonly Case[]> => {
    const { rig, place } = await prepared(context);
    const all = OUTPUTS.flatMap((output) =>
      [FULL_DISK, NEARLY_FULL, READ_ONLY].map((trouble) => onDisk(output, trouble, rig, place)),
    );
    return thinned(all, context.short, FEW);
  },
};

export const rights: Part = {
  name: "rights",
  title: "every output in a folder, or over a file, without rights",
  seconds: 200,
  missing: () => (process.platform === "win32" ? "of Linux and macOS" : rightsLacking()),
  cases: async (context: Context): Promise<readonly Case[]> => {
    const { rig, place } = await prepared(context);
    const all = OUTPUTS.flatMap((output) => [
      withoutRights(output, "folder", rig, place),
      ...(output.old.length > 0 ? [withoutRights(output, "file", rig, place)] : []),
    ]);
    return thinned(all, context.short, FEW);
  },
};

/** Results on standard output that nobody can keep. */
export const stdout: Part = {
  name: "stdout",
  title: "results to a standard output that is full",
  seconds: 200,
  missing: () => lacking("bash"),
  cases: async ({ folder, short }: Context): Promise<readonly Case[]> => {
    const rig = await writeRig(folder);
    const lines = [
      ["predict", ...rig.pair, "-o", join(folder, "m.nii.gz")],
      evaluate(rig),
      [...evaluate(rig), "--json"],
      ["adapters"],
      ["adapters", "--json"],
      ["cache", "--json"],
      ["phantom", join(folder, "phantom"), "--patients", "1", "--field-of-view", "80,80,80"],
      ["train", "--help"],
    ];
    return thinned(lines, short, 2).map((args) => ({
      id: args.filter((word) => !word.includes("/")).join(" "),
      run: async () => {
        const before = ["bash", "-c", 'exec "$@" > /dev/full', "-"];
        return judgeRefusal(await bunRun(args, { before }), /standard output: cannot be written/);
      },
    }));
  },
};
