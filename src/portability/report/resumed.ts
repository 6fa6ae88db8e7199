/** A report that is gone on with: what it must have in common with the command and the machine. */
import { UserError } from "../../core/errors";
import type { Chosen } from "../columns";
import type { HostAdapter } from "../host";
import { type Column, columnName, type Report } from "./schema";

/**
 * @param given of `--short`, `--seed` and `--case`, those that the command names
 * @throws UserError where one of these is not as the report was begun with
 */
export function checkChoice(
  file: string,
  { options }: Report,
  given: Partial<Report["options"]>,
): void {
  for (const [name, value] of Object.entries(given)) {
    const was = options[name as keyof typeof given];
    if (JSON.stringify(value) === JSON.stringify(was)) continue;
    throw new UserError(
      `--resume ${file}: was begun with ${name} ${JSON.stringify(was)}, not ${JSON.stringify(value)}; ` +
        `leave --${name === "cases" ? "case" : name} out, or begin another file with --json`,
    );
  }
}

/**
 * The report, with what is missing now of the implementations that were looked at.
 * @throws UserError where a column was made by another environment
 */
export function resumed(file: string, report: Report, { columns, missing }: Chosen): Report {
  for (const { host, adapter } of columns) {
    const column = report.columns.find((c) => isOf(c, host.name, adapter));
    const difference = column && differenceOf(column.adapter, adapter);
    if (!difference) continue;
    throw new UserError(
      `--resume ${file}: ${columnName(column)} ${difference}; begin another file with --json, and --compare both`,
    );
  }
  const looked = new Set<string>([
    ...columns.map(({ host }) => host.name),
    ...missing.map(({ implementation }) => implementation),
  ]);
  const isChosen = (c: Column) => columns.some(({ host, adapter }) => isOf(c, host.name, adapter));
  // Why a column of another adapter did not run.
  const stays = ({ implementation, reason }: Report["missing"][number]) =>
    report.columns.some(
      (c) =>
        c.implementation === implementation &&
        !(c.complete || isChosen(c)) &&
        reason.startsWith(reasonOf(c.adapter, "")),
    );
  const others = report.missing.filter(
    (entry) => !looked.has(entry.implementation) || stays(entry),
  );
  return { ...report, missing: [...others, ...missing] };
}

/** Whether a column of a report is that of the adapter. */
export const isOf = (column: Column, implementation: string, adapter: HostAdapter): boolean =>
  column.implementation === implementation &&
  column.adapter.name === adapter.name &&
  column.adapter.driver === adapter.driver;

/** Of an adapter that does not run, in `missing`. */
export const reasonOf = ({ name }: { readonly name: string }, why: string): string =>
  `${name}: ${why}`;

/** What decides which cases there are, and how they come out, but for the driver, which names the column. */
function differenceOf(was: Column["adapter"], is: HostAdapter): string | undefined {
  for (const name of new Set([...Object.keys(was.versions), ...Object.keys(is.versions)])) {
    const [before, now] = [was.versions[name] ?? "none", is.versions[name] ?? "none"];
    if (before !== now) return `was run with ${name} ${before}, here is ${now}`;
  }
  const lost = was.features.filter((feature) => !is.features.includes(feature));
  const gained = is.features.filter((feature) => !was.features.includes(feature));
  if (lost.length > 0) return `had ${lost.join(", ")}, which it has not here`;
  if (gained.length > 0) return `had no ${gained.join(", ")}, which it has here`;
  for (const [name, now] of Object.entries(is.limits)) {
    const before = was.limits[name];
    if (before !== now) return `had ${name} ${before ?? "none"}, here is ${now}`;
  }
  const [before, now] = [was.subgroupSize, is.subgroupSize].map((size) => JSON.stringify(size));
  return before === now ? undefined : `had subgroups of ${before}, here are ${now}`;
}
