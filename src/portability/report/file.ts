/** Reports in files. */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../../core/errors";
import { writeAtomically } from "../../platform/atomic_file";
import { FORMAT, type Report, reportSchema, VERSION } from "./schema";

/** @throws UserError naming the file and what is wrong with it */
export function readReport(file: string): Report {
  if (!existsSync(file)) {
    throw new UserError(`${file}: there is no such file; name one that --json wrote`);
  }
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UserError(`${file}: is not JSON (${(error as Error).message}); name a --json file`);
  }
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format !== FORMAT || version !== VERSION) {
    throw new UserError(
      `${file}: is "${format}" version ${version}, expected "${FORMAT}" version ${VERSION}`,
    );
  }
  const parsed = reportSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UserError(`${file}: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`);
}

export function writeReport(file: string, report: Report): void {
  writeAtomically(file, `${JSON.stringify(report)}\n`);
}
