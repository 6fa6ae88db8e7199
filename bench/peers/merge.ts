/** Merges partial runs of the comparison in one file: a new run replaces its own older rows. */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../../src/core/errors";
import type { Machine, Report } from "./report";
import type { Row } from "./table";
import { type Work, workName } from "./works";

/** As far as a file must be right to be told from others; rows are those that `--merge` wrote. */
const kept = z.object({
  date: z.string(),
  cpu: z.string(),
  cores: z.number(),
  system: z.string(),
  versions: z.array(z.string()),
  rows: z.array(
    z.looseObject({
      work: z.looseObject({ kind: z.enum(["conv", "network", "iteration"]) }),
      engine: z.string(),
      variant: z.string(),
      status: z.string(),
    }),
  ),
});

/**
 * The report in `file`; undefined where there is none yet.
 * @throws UserError for other files, and for reports of other machines than `here`
 */
export function readKept(file: string, here: Machine): Report | undefined {
  if (!existsSync(file)) return undefined;
  let report: Report;
  try {
    report = kept.parse(JSON.parse(readFileSync(file, "utf8"))) as unknown as Report;
  } catch {
    throw new UserError(`${file}: is no report of bench/peers/run.ts; give --merge another file`);
  }
  const [there, now] = [report, here].map((m) => `${m.cpu}, ${m.cores} cores, ${m.system}`);
  if (there === now) return report;
  throw new UserError(
    `${file}: was measured on ${there}, this is ${now}; give --merge another file`,
  );
}

/** Convolutions, then those with gradients, the network, iterations; sizes in order of first sight. */
function rank(work: Work): number {
  if (work.kind === "conv") return work.backward ? 1 : 0;
  return work.kind === "network" ? 2 + Number(work.training) : 4;
}

const engineKey = ({ work, engine }: Row) => `${workName(work)} ${engine}`;
const rowKey = (row: Row) => `${engineKey(row)} ${row.variant}`;

/**
 * `before` with what `now` measured instead of its own rows of that work, engine and variant; a row
 * that only said why an engine is missing goes when there are others of it.
 */
export function mergeReports(before: Report, now: Report): Report {
  const dated = (report: Report) =>
    report.rows.map((row): Row => ({ ...row, date: row.date ?? report.date }));
  const fresh = new Map(dated(now).map((row) => [rowKey(row), row]));
  const answered = new Set(now.rows.map(engineKey));
  const old = dated(before).filter(
    (row) =>
      !fresh.has(rowKey(row)) && !(row.status === "unavailable" && answered.has(engineKey(row))),
  );
  const rows = [...old, ...fresh.values()];
  const works = [...new Set(rows.map(({ work }) => workName(work)))];
  rows.sort(
    (a, b) =>
      rank(a.work) - rank(b.work) ||
      works.indexOf(workName(a.work)) - works.indexOf(workName(b.work)),
  );
  return { ...now, versions: [...new Set([...before.versions, ...now.versions])], rows };
}
