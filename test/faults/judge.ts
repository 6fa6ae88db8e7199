/** Verdicts on calls of our functions: a refusal is a UserError of one line that says what is wrong. */
import { UserError } from "../../src/core/errors";
import type { Tried } from "./part";

/** @param expected what the line must say */
export function judgeError(error: unknown, expected: RegExp): Tried {
  if (!(error instanceof UserError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { end: "stack", text };
  }
  const { message } = error;
  const isClear = !message.includes("\n") && expected.test(message);
  return isClear ? { end: "refused" } : { end: "unclear", text: `${message} (not ${expected})` };
}

/** The call must fail, with a line that says `expected`. */
export async function mustRefuse(call: () => unknown, expected: RegExp): Promise<Tried> {
  try {
    await call();
  } catch (error) {
    return judgeError(error, expected);
  }
  return { end: "silent", text: `taken, expected a refusal: ${expected}` };
}
