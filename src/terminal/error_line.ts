import { UserError } from "../core/errors";

/** What a user can do something about, in a line; undefined for a defect of ours. */
export function lineFor(error: unknown): string | undefined {
  if (error instanceof UserError) return error.message;
  if (!(error instanceof Error)) return undefined;
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined)
    return `${error.message}; check the path, its permissions and its disk`;
  const isMemory = error instanceof RangeError && /out of memory|allocat/i.test(error.message);
  return isMemory
    ? `out of memory (${error.message}): take less at a time, or give this process more memory`
    : undefined;
}
