/**
 * Runs every test and every measurement in one go, for the day that an adapter is at hand:
 * `bun run bench:all [--adapter gpu] [--stages tests,bench]`. Results of every stage, and a
 * description of the machine, go into a folder of their own. A stage that fails stops no other.
 */
import { mkdirSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { version as dawnVersion } from "webgpu/package.json";
import { version } from "../package.json";
import { UserError } from "../src/core/errors";
import type { AdapterDescription } from "../src/gpu/adapter";
import { openDevice } from "../src/hosts/bun";
import { writeAtomically } from "../src/platform/atomic_file";
import { ADAPTER_OPTION, makeCommand, say } from "../src/terminal/command";
import { checkPaths, given } from "../src/terminal/command_paths";
import { runMain } from "../src/terminal/main";
import { listOption } from "../src/terminal/options";

interface Stage {
  readonly name: string;
  readonly what: string;
  /** Arguments of bun; files in `folder`. */
  readonly command: (folder: string, adapter: string, python?: string) => readonly string[];
}

const ROOT = join(import.meta.dir, "..");
const bench = (folder: string, adapter: string, name: string, ...args: readonly string[]) => [
  ...["bench/main.ts", ...args, "--full", "--adapter", adapter],
  ...["--json", join(folder, `${name}.json`)],
];

const STAGES: readonly Stage[] = [
  {
    name: "tests",
    what: "all tests; every kernel against float64 on this adapter",
    command: () => ["test", "--timeout", "600000"],
  },
  {
    name: "untuned",
    what: "layers and steps with the committed defaults",
    command: (folder, adapter) =>
      bench(folder, adapter, "untuned", "layers", "steps", "--tune", "off"),
  },
  {
    name: "tune",
    what: "the choice of kernels, with the times of all candidates",
    command: (_, adapter) => ["src/cli/tune.ts", "--adapter", adapter, "--tune-seconds", "600"],
  },
  {
    name: "bench",
    what: "ceilings, kernels, layers, steps, latency and scaling, tuned",
    command: (folder, adapter) =>
      bench(folder, adapter, "bench", "kernels", "layers", "steps", "latency", "scaling"),
  },
  {
    name: "peers",
    what: "other engines on the same work",
    command: (folder, adapter, python) => [
      ...["bench/peers/run.ts", "--adapter", adapter, "--tune", "on"],
      ...["--merge", join(folder, "peers.json")],
      ...(python ? ["--python", python] : []),
    ],
  },
];
const NAMES = STAGES.map(({ name }) => name);

interface Options {
  readonly adapter: string;
  readonly stages: readonly string[];
  readonly out?: string;
  readonly python?: string;
}

const command = makeCommand("bench:all", "Runs all tests and measurements on one adapter.")
  .option(...ADAPTER_OPTION, "")
  .option("--stages <list>", `some of ${NAMES.join(", ")}`, listOption, NAMES)
  .option("--python <path>", "interpreter that has PyTorch, for the peers")
  .option("--out <folder>", "default: bench/results/DATE-ADAPTER");
for (const { name, what } of STAGES) command.addHelpText("after", `  ${name.padEnd(8)} ${what}`);
command.parse();
await runMain(() => main(command.opts<Options>()));

/** `2026-11-26-nvidia-h100-pcie`. */
function folderFor({ name }: AdapterDescription): string {
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const date = new Date().toISOString().slice(0, 10);
  return join(ROOT, "bench/results", `${date}-${slug.replace(/^-|-$/g, "")}`);
}

function about(info: AdapterDescription): object {
  const { name, vendor, architecture, driver, backend, subgroupSize, subgroupMatrices } = info;
  const git = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: ROOT, stderr: "ignore" });
  return {
    date: new Date().toISOString(),
    adapter: { name, vendor, architecture, driver, backend, subgroupSize, subgroupMatrices },
    features: [...info.features].sort(),
    versions: { voxgrad: version, bun: Bun.version, webgpu: dawnVersion },
    commit: git.stdout.toString().trim() || "unknown",
    cpu: { model: cpus()[0]?.model ?? "unknown", cores: cpus().length },
    memoryBytes: totalmem(),
  };
}

/** Output goes to the terminal and to a log of the stage. @returns seconds and exit code */
async function run(stage: Stage, folder: string, adapter: string, python?: string) {
  const start = performance.now();
  const child = Bun.spawn([process.execPath, ...stage.command(folder, adapter, python)], {
    ...{ cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    env: { ...process.env, ...(adapter && { VOXGRAD_ADAPTER: adapter }) },
  });
  const log = Bun.file(join(folder, `${stage.name}.log`)).writer();
  const copy = async (from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream) => {
    for await (const bytes of from) {
      to.write(bytes);
      log.write(bytes);
    }
  };
  await Promise.all([copy(child.stdout, process.stdout), copy(child.stderr, process.stderr)]);
  const code = await child.exited;
  await log.end();
  return { stage: stage.name, seconds: Math.round((performance.now() - start) / 1000), code };
}

async function main({ adapter, stages, out, python }: Options): Promise<void> {
  const unknown = stages.find((name) => !NAMES.includes(name));
  if (unknown) throw new UserError(`--stages ${unknown}: there are ${NAMES.join(", ")}`);
  checkPaths({ fills: [given("--out", out)] });
  const device = await openDevice({ adapter });
  const { info } = device;
  say(device.describe());
  device.destroy();
  const folder = out ?? folderFor(info);
  mkdirSync(folder, { recursive: true });
  const results: Awaited<ReturnType<typeof run>>[] = [];
  for (const stage of STAGES.filter(({ name }) => stages.includes(name))) {
    say(`\n== ${stage.name}: ${stage.what}`);
    results.push(await run(stage, folder, adapter || info.name, python));
    const text = JSON.stringify({ ...about(info), stages: results }, null, 1);
    writeAtomically(join(folder, "about.json"), `${text}\n`);
  }
  say(`\nresults in ${folder}`);
  for (const { stage, seconds, code } of results) {
    say(
      `  ${stage.padEnd(8)} ${String(seconds).padStart(6)} s  ${code === 0 ? "ok" : `exit ${code}`}`,
    );
  }
  if (results.some(({ code }) => code !== 0)) process.exitCode = 1;
}
