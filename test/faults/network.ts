/** No command asks a network once all is installed: by its system calls, and without any interface. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bunRun, judgeSuccess, lacking } from "./command";
import type { Case, Context, Part, Tried } from "./part";
import { type Rig, training, writeRig } from "./rig";

const ITERATIONS = 6;

/** Commands, each with a file that it makes. */
function commands(rig: Rig, folder: string): readonly (readonly [string[], string])[] {
  const to = (name: string) => join(folder, name);
  const evaluate = ["evaluate", "--reference", rig.mask, "--prediction", rig.mask];
  return [
    [training(rig, to("run"), ITERATIONS), to("run/last.safetensors")],
    [["predict", ...rig.pair, "-o", to("m.nii.gz")], to("m.nii.gz")],
    [[...evaluate, "--csv", to("x.csv")], to("x.csv")],
    [["register", ...rig.head, "--out", to("aligned")], to("aligned")],
    [["phantom", to("p"), "--patients", "1", "--field-of-view", "80,80,80"], to("p")],
    [["adapters"], folder],
  ];
}

const nameOf = (args: readonly string[]) => args[0]!;
const made = (file: string) => () => (existsSync(file) ? undefined : `${file} is not there`);

/** Calls that open a way out; an io_uring would hide them. */
const WAY_OUT = /AF_INET6?|AF_NETLINK|AF_PACKET|AF_VSOCK|io_uring_setup/;
/** The programs with which apt fetches; `-Y` of strace names the program of each call. */
const BY_APT = /^\d+<https?> /;

/** Runs a command; the network calls of it and of all that it starts. */
async function traced(
  args: readonly string[],
  file: string,
  log: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ tried: Tried; out: readonly string[] }> {
  const calls = "trace=%network,io_uring_setup";
  const before = ["strace", "-f", "-Y", "--seccomp-bpf", "-e", calls, "-o", log];
  const left = await bunRun(args, { before, env, seconds: 400 });
  const lines = readFileSync(log, "utf8").split("\n");
  const kinds = / (socket|connect|send\w*|bind|io_uring_setup)\(/;
  const out = lines.filter((line) => kinds.test(line) && WAY_OUT.test(line));
  return { tried: judgeSuccess(left, made(file)), out };
}

const seenIn = (tried: Tried, bad: readonly string[], text: string): Tried => {
  if (tried.end !== "right") return tried;
  return bad.length > 0
    ? { ...tried, end: "silent", text: bad.slice(0, 20).join("\n") }
    : { ...tried, text };
};

async function silent(args: readonly string[], file: string, log: string): Promise<Tried> {
  const { tried, out } = await traced(args, file, log);
  return seenIn(tried, out, "no call to a network");
}

/** With an empty cache a software driver may be brought: by apt, which checks the archive's signature. */
async function bringing({ folder }: Context): Promise<Tried> {
  const env = { VOXGRAD_CACHE: join(folder, "empty") };
  const { tried, out } = await traced(["adapters"], folder, join(folder, "driver.log"), env);
  const others = out.filter((line) => !BY_APT.test(line));
  return seenIn(tried, others, `${out.length} calls to a network, all of apt's`);
}

const rigOf = ({ folder }: Context) => writeRig(join(folder, "rig"));

export const network: Part = {
  name: "network",
  title: "network calls of whole commands, by strace",
  seconds: 500,
  missing: () => lacking("strace", "-e", "trace=%network", "true"),
  cases: async (context: Context): Promise<readonly Case[]> => {
    const all = commands(await rigOf(context), context.folder);
    const cases = all.map(([args, file]) => ({
      id: nameOf(args),
      run: () => silent(args, file, join(context.folder, `${nameOf(args)}.log`)),
    }));
    const driver = { id: "adapters, an empty cache", run: () => bringing(context) };
    return context.short ? cases.slice(0, 2) : [...cases, driver];
  },
};

/** A network of its own without any interface; as root without the user namespace. */
const CUT_OFF = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--net"];
/** Without a network a command may take so many times as long, and so many seconds more. */
const [MOST_TIMES, MOST_SECONDS] = [2, 4] as const;

type Command = ReturnType<typeof commands>[number];

async function cutOff([args, file]: Command, [alike, made2]: Command): Promise<Tried> {
  const connected = await bunRun(args);
  const first = judgeSuccess(connected, made(file));
  if (first.end !== "right") return first;
  const left = await bunRun(alike, { before: CUT_OFF });
  const tried = judgeSuccess(left, made(made2));
  if (tried.end !== "right") return tried;
  const [online, offline] = [connected.seconds, left.seconds];
  const text = `${offline.toFixed(1)} s, with a network ${online.toFixed(1)} s`;
  const isLate = offline > MOST_TIMES * online + MOST_SECONDS;
  return { ...tried, end: isLate ? "hang" : "right", text };
}

export const offline: Part = {
  name: "offline",
  title: "commands without any network interface, and as fast as with one",
  seconds: 400,
  missing: () => lacking(CUT_OFF[0]!, ...CUT_OFF.slice(1), "true"),
  cases: async (context: Context): Promise<readonly Case[]> => {
    const rig = await rigOf(context);
    const [online, alike] = ["online", "offline"].map((name) => {
      const folder = join(context.folder, name);
      mkdirSync(folder);
      return commands(rig, folder);
    });
    return online!.slice(0, context.short ? 2 : undefined).map((command, i) => ({
      id: nameOf(command[0]),
      run: () => cutOff(command, alike![i]!),
    }));
  },
};
