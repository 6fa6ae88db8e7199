import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Argument } from "commander";
import { DESCRIPTION, makeDataset } from "../bids/dataset";
import { writeGroup } from "../bids/group";
import { writePair } from "../bids/write_pair";
import { CohortFolder } from "../cohort/folder";
import { type FoundCohort, findBidsPairs } from "../cohort/pairs";
import { CohortTable } from "../cohort/table";
import { UserError } from "../core/errors";
import { writeAtomically } from "../platform/atomic_file";
import { brainFile } from "../run/given_brain";
import { isWithoutNetwork } from "../run/models";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { runMain } from "../terminal/main";
import { printResult } from "../terminal/result";
import { SHARD_OPTION, type Shard } from "../terminal/shard";
import { workOnPairs } from "./predict/cohort_work";
import { type PairOptions, withPairOptions } from "./predict/options";

interface Options extends PairOptions {
  readonly participantLabel?: string[];
  readonly sessionLabel?: string[];
  readonly shard?: Shard;
}

/** Of both labels, bytes: the longest name of a derivative has 60 more. */
const LONGEST = 190;

const LEVELS = ["participant", "group"] as const;

const program = makeCommand(
  "bids",
  "A BIDS App: new lesions of every session since the one before, as BIDS derivatives.",
)
  .argument("<bids_dir>", "data set in BIDS, with FLAIR of two sessions or more")
  .argument("<output_dir>", "folder for the derivatives, e.g. bids_dir/derivatives/voxgrad")
  .addArgument(
    new Argument(
      "<analysis_level>",
      "participant: each pair of sessions; group: the table and the page over all",
    ).choices(LEVELS),
  )
  .option("--participant-label <labels...>", "only these, with or without sub-")
  .option("--session-label <labels...>", "only these, with or without ses-")
  .option(...SHARD_OPTION);
withPairOptions(program, "t2");
// Older callers of BIDS Apps write --participant_label.
program.parse(
  process.argv.map((arg) => arg.replace(/^--(participant|session)_label/, "--$1-label")),
);
await runMain(() => {
  const [bids, out, level] = program.processedArgs as [string, string, (typeof LEVELS)[number]];
  const options = program.opts<Options>();
  return level === "group" ? group(bids, out, options) : participants(bids, out, options);
});

async function participants(bids: string, out: string, options: Options): Promise<void> {
  const { participantLabel: subjects, sessionLabel: sessions, shard } = options;
  if (isWithoutNetwork(options.weights)) {
    throw new UserError(
      "bids: its masks are those of a network: name weights with --weights, or train some (bun run train); " +
        `the change statistic is written by bun run predict --cohort ${bids} --out OUT`,
    );
  }
  if (brainFile(options.brain) !== undefined) {
    throw new UserError("--brain FILE is of one pair; give auto or off");
  }
  const found = await pairsOf(bids, { subjects, sessions });
  checkPaths({ reads: [given("<bids_dir>", bids)], fills: [given("<output_dir>", out)] });
  makeDataset(bids, out);
  await workOnPairs(options, {
    ...{ pairs: found.pairs, shard, folder: folderOf(out), tables: tablesOf(out) },
    reads: given("<bids_dir>", bids),
    fills: given("<output_dir>", out),
    check: ({ id }) => checkNames(id),
    async write({ bids: sessions, ...pair }, result) {
      if (!sessions) throw new Error(`${pair.id}: a pair of a BIDS data set has sessions`);
      await writePair({ bids, out }, { ...pair, bids: sessions }, result);
      const record = `${JSON.stringify(result.record, null, 2)}\n`;
      writeAtomically(folderOf(out).recordOf(pair.id), record);
    },
  });
}

/** @throws UserError where derivatives cannot have their names */
function checkNames(id: string): void {
  if (Buffer.byteLength(id) <= LONGEST) return;
  throw new UserError(
    `${id.slice(0, 40)}…: its labels have ${Buffer.byteLength(id)} bytes, too long for names of files; expected ` +
      `at most ${LONGEST}: rename participant or sessions`,
  );
}

/** With labels: of the pairs that the participant level makes of the same ones. */
async function group(bids: string, out: string, options: Options): Promise<void> {
  const { participantLabel: subjects, sessionLabel: sessions } = options;
  const { pairs } = await pairsOf(bids, { subjects, sessions });
  if (!existsSync(join(out, DESCRIPTION))) {
    throw new UserError(`${out}: holds no derivatives; run the participant level first`);
  }
  mkdirSync(join(out, ".cohort"), { recursive: true });
  const table = new CohortTable(folderOf(out), pairs, tablesOf(out));
  const rows = table.write();
  const paths = writeGroup(out, pairs, rows);
  const done = rows.filter(({ status }) => status === "done").length;
  printResult(`${done} of ${rows.length} pairs of sessions done`);
  printResult(`table and page: ${paths.join(", ")}`);
}

async function pairsOf(
  bids: string,
  filter: Parameters<typeof findBidsPairs>[1] = {},
): Promise<FoundCohort> {
  if (!existsSync(join(bids, DESCRIPTION))) {
    throw new UserError(`${bids}: holds no ${DESCRIPTION}; give the root of a data set in BIDS`);
  }
  const found = await findBidsPairs(bids, filter);
  for (const note of found.notes) say(note);
  if (found.pairs.length > 0) return found;
  throw new UserError(`${bids}: no two sessions with a FLAIR of one participant`);
}

function folderOf(out: string): CohortFolder {
  return new CohortFolder(out, (id) => join(out, ".cohort", `${id}.result.json`));
}

function tablesOf(out: string): [string, string] {
  return [join(out, ".cohort", "table.csv"), join(out, ".cohort", "table.json")];
}
