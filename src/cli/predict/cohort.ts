/** `bun run predict --cohort`: every pair of a folder or of a BIDS data set. */
import { join } from "node:path";
import { CohortFolder } from "../../cohort/folder";
import { findPairs } from "../../cohort/pairs";
import { UserError } from "../../core/errors";
import { statusOf } from "../../platform/real_path";
import { checkResultFolder, writeResult } from "../../result/result_folder";
import { brainFile } from "../../run/given_brain";
import { say } from "../../terminal/command";
import { checkPaths, given } from "../../terminal/command_paths";
import type { Shard } from "../../terminal/shard";
import { workOnPairs } from "./cohort_work";
import type { PairOptions } from "./options";
import type { OutputOptions } from "./outputs";

export interface CohortOptions {
  readonly cohort?: string;
  readonly out?: string;
  readonly shard?: Shard;
}

type Options = PairOptions &
  CohortOptions &
  OutputOptions & { readonly t1?: string; readonly t2?: string; readonly series?: number[] };

export async function predictCohort(options: Options): Promise<void> {
  const { cohort: dir = "", out } = options;
  refuseOfOnePair(options);
  if (out === undefined) {
    throw new UserError("--cohort: name the folder for the results and their table, by --out");
  }
  const [reads, fills] = [given("--cohort", dir), given("--out", out)];
  checkPaths({ reads: [reads], fills: [fills] });
  const { pairs, notes } = await findPairs(dir);
  for (const note of notes) say(note);
  const folder = new CohortFolder(out);
  await workOnPairs(options, {
    ...{ pairs, folder, shard: options.shard },
    ...{ reads, fills },
    tables: TABLES.map((name) => join(out, name)) as [string, string],
    check: ({ id }) => checkTarget(out, id),
    write: ({ id }, result) => writeResult(join(out, id), result),
  });
}

const TABLES = ["cohort.csv", "cohort.json"];
/** Of a name in most file systems, bytes. */
const LONGEST = 255;

/** @throws UserError where a pair's result has no place */
function checkTarget(out: string, id: string): void {
  const target = join(out, id);
  if (TABLES.includes(id)) {
    throw new UserError(`${id}: the table of all has this name; rename the patient's folder`);
  }
  if (Buffer.byteLength(id) > LONGEST) {
    throw new UserError(
      `${id.slice(0, 40)}…: its name has ${Buffer.byteLength(id)} bytes, too long for the folder of its result; ` +
        `expected at most ${LONGEST}: rename the patient's folders`,
    );
  }
  const there = statusOf(target);
  if (there && !there.isDirectory()) {
    throw new UserError(`${target}: is a file, where the result's folder would be; move it away`);
  }
  checkResultFolder(target);
}

/** @throws UserError for an option that is about one pair */
function refuseOfOnePair(options: Options): void {
  const { t1, t2, output, outDir, patient, probability, allowed, report, series, view, brain } =
    options;
  const given = {
    ...{ "-t1": t1, "-t2": t2, "-o": output, "--out-dir": outDir, "--patient": patient },
    ...{
      "--probability": probability,
      "--allowed": allowed,
      "--report": report,
      "--series": series,
    },
    ...{ "--view": view || undefined, "--brain FILE": brainFile(brain) },
  };
  const [other] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (other === undefined) return;
  throw new UserError(
    `${other} is of one pair, --cohort of all pairs of a folder: leave one of them out`,
  );
}
