/** The notation of settings' values: as an option takes them, and in help and documentation. */
import { readBytes, readDuration, readNumber, readNumbers } from "../terminal/read";

export interface Notation<T> {
  /** @throws UserError saying what was expected */
  read(text: string): T;
  write(value: T): string;
}

/** In decimals, or as a fraction where decimals do not end. */
export const NUMBER: Notation<number> = {
  read(text) {
    const fraction = /^(\d+)\/([1-9]\d*)$/.exec(text);
    return fraction ? Number(fraction[1]) / Number(fraction[2]) : readNumber(text);
  },
  write(value) {
    const ends = `${value}`.length < 12;
    const divisor = ends ? undefined : [3, 7, 9].find((n) => Number.isInteger(n * value));
    return divisor === undefined ? `${value}` : `${divisor * value}/${divisor}`;
  },
};

export const NUMBERS: Notation<readonly number[]> = { read: readNumbers, write: String };

/** One of some names; the schema knows them. */
export const NAME: Notation<string> = { read: (text) => text, write: (name) => name };

/** Seconds. */
export const DURATION: Notation<number> = {
  read: readDuration,
  write: (seconds) => `${seconds / 60}m`,
};

export const BYTES: Notation<number> = {
  read: readBytes,
  write: (bytes) => (bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}G` : `${bytes / 2 ** 20}M`),
};
