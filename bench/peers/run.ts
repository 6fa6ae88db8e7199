/**
 * The same work by other engines, in one run with ours (docs/measurements/peers.md):
 * `bun bench/peers/run.ts [--adapter lavapipe] [--only tfjs,torch] [--json FILE] [--doc FILE]`
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { type TuneFlags, withTuneOptions } from "../../src/choose/tune_options";
import { UserError } from "../../src/core/errors";
import { removeQuietly } from "../../src/platform/leftovers";
import { checkPaths, given } from "../../src/terminal/command_paths";
import { runMain } from "../../src/terminal/main";
import { listOption, numberOption } from "../../src/terminal/options";
import { mergeReports, readKept } from "./merge";
import { allWorks, type Peer, peers, type Sizes, worksOf } from "./registry";
import { machine, type Report, writeJson, writeReport } from "./report";
import { Session } from "./session";
import { installPackages, pythonWithTorch } from "./setting";
import { type Work, workName } from "./works";

const NAMES = peers.map(({ name }) => name).join(", ");

interface Options extends TuneFlags {
  readonly adapter: string;
  readonly only?: string[];
  readonly works?: string[];
  readonly variants?: string[];
  readonly patches: number;
  readonly pool?: number;
  readonly batch?: number;
  readonly seconds: number;
  readonly python?: string;
  readonly lock?: string;
  readonly json?: string;
  readonly merge?: string;
  readonly doc?: string;
}

const command = new Command("bench/peers/run.ts")
  .option("--adapter <name>", "adapter of voxgrad and of the WebGPU peers", "")
  .option("--only <list>", `some of ${NAMES}`, listOption)
  .option("--works <list>", "only works whose name holds one of these", listOption)
  .option("--variants <list>", "only variants whose name holds one of these", listOption)
  .option("--patches <n>", "batch of the convolutions and of the network", numberOption, 4)
  .option("--pool <n>", "B̄ of the OHEM iteration; default: by each peer's speed", numberOption)
  .option("--batch <n>", "B of the OHEM iteration; default: a quarter of the pool", numberOption)
  .option("--seconds <s>", "for the turns of one row; three turns at least", numberOption, 3)
  .option("--python <path>", "interpreter that has PyTorch")
  .option("--lock <file>", "hold an exclusive flock on this file while something is measured")
  .option("--json <file>", "also write everything as JSON")
  .option(
    "--merge <file>",
    "as --json, but rows of earlier runs in the file stay, each with its date",
  )
  .option("--doc <file>", "also replace the part between the `measured` marks of this file");
const options = withTuneOptions(command).parse().opts<Options>();

function chosenPeers(): Peer[] {
  const { only } = options;
  const unknown = only?.find((name) => !peers.some((peer) => peer.name === name));
  if (unknown) throw new UserError(`--only ${unknown}: there are ${NAMES}`);
  return peers.filter(({ name }) => !only || only.includes(name));
}

function sizes(): Sizes {
  const { patches, pool, batch = pool && Math.ceil(pool / 4) } = options;
  if (batch && !pool) throw new UserError("--batch without --pool: give both");
  return { patches, iteration: pool && batch ? [pool, batch] : undefined };
}

/** Whether a name holds one of the words of an option; without the option every name will do. */
const isWanted = (name: string, words: readonly string[] | undefined) =>
  !words || words.some((word) => name.includes(word));

type Works = [name: string, work: Work][];

/** @throws UserError where no work has such a name */
function wantedWorks(chosen: readonly Peer[]): Works {
  const all = [...allWorks(chosen, sizes())];
  const wanted = all.filter(([name]) => isWanted(name, options.works));
  if (wanted.length > 0) return wanted;
  const names = all.map(([name]) => name).join(", ");
  throw new UserError(`--works ${options.works}: there are ${names}`);
}

async function measureAll(session: Session, chosen: readonly Peer[], works: Works): Promise<void> {
  const missing = chosen.some(({ packages }) => packages) ? await installPackages() : undefined;
  for (const peer of chosen) {
    if (peer.packages && missing) session.addMissing(peer, missing);
    else await session.startPeer(peer, (variant) => isWanted(variant, options.variants));
  }
  for (const [name, work] of works) {
    await session.work(work, (peer) =>
      worksOf(peer, sizes()).some((each) => workName(each) === name),
    );
  }
}

await runMain(async () => {
  const { json, merge, doc } = options;
  checkPaths({ writes: [given("--json", json), given("--merge", merge), given("--doc", doc)] });
  const chosen = chosenPeers();
  const works = wantedWorks(chosen);
  const before = options.merge ? readKept(options.merge, machine()) : undefined;
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-peers-"));
  process.on("exit", () => removeQuietly(folder)); // after Ctrl-C too
  const { adapter, seconds, lock, tune, tuneSeconds } = options;
  const python = await pythonWithTorch(options.python);
  const report = (): Report => {
    const measured = { ...machine(), versions: session.versions, rows: session.rows };
    return before ? mergeReports(before, measured) : measured;
  };
  const session = await Session.open({
    ...{ folder, adapter, python, seconds, lock },
    tune: { tune, tuneSeconds },
    // After each row: a run that is interrupted keeps what it has.
    onRow: () => options.merge && writeJson(report(), options.merge),
  });
  try {
    await measureAll(session, chosen, works);
  } finally {
    session.close();
  }
  writeReport(report(), options);
});
