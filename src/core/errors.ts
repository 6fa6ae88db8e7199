/**
 * Bad input or a bad option, found and explained. The command line prints the message as one line
 * and exits with code 2; anything else that is thrown is a defect of ours and keeps its stack.
 *
 * A good message names the file or option, what was found, what was expected, and what to do.
 */
export class UserError extends Error {
  override name = "UserError";
}

/** The message of what was thrown, whatever that is. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
