/** Parsers for command-line values: each names the option in its message. */
import { InvalidArgumentError } from "commander";
import { UserError } from "../core/errors";
import { readPaths } from "./paths";
import { readDuration, readList, readNumber, readNumbers } from "./read";

/** A reader as a parser of an option: the message of what it refuses names the option. */
export function optionParser<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      if (error instanceof UserError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

export const durationOption = optionParser(readDuration);
export const numberOption = optionParser(readNumber);
export const numbersOption = optionParser(readNumbers);

/** A reader of lists that refuses those without an entry, as of a shell's variable that is not set. */
const filled = (read: (text: string) => string[]): ((text: string) => string[]) =>
  optionParser((text) => {
    const list = read(text);
    if (list.length > 0) return list;
    throw new UserError("expected one or more, separated by commas.");
  });

export const listOption = filled(readList);

/** A list that may also be given in parts, by repeating the option; it has no default. */
export const repeatedList =
  (read: (text: string) => string[]) =>
  (text: string, before: readonly string[] = []): string[] => [...before, ...read(text)];

export const idsOption = repeatedList(filled(readList));
export const pathsOption = repeatedList(filled(readPaths));

/** A number above 0. */
export function positiveOption(text: string): number {
  const value = numberOption(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("expected a number above 0.");
}

/** A number from 0 to 1. */
export function probabilityOption(text: string): number {
  const value = numberOption(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("expected a number from 0 to 1.");
}

/** A number of at least 0. */
export function nonNegativeOption(text: string): number {
  const value = numberOption(text);
  if (value >= 0) return value;
  throw new InvalidArgumentError("expected a number of at least 0.");
}

const wholeOption =
  (least: number) =>
  (text: string): number => {
    const value = numberOption(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
  };

/** A whole number of at least 1. */
export const countOption = wholeOption(1);
/** A whole number of at least 0. */
export const countOrNoneOption = wholeOption(0);

/** An option that may be given several times: all of its values. */
export function repeatedOption(value: string, before: string[]): string[] {
  return [...before, value];
}
