/** Parsers for command-line values: each names the option in its message. */
import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600 };

/** `90s`, `20m`, `3h`, `1.5h` → seconds. */
export function durationOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|min|h)$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (!(seconds > 0)) throw new InvalidArgumentError("expected a time such as 90s, 20m or 3h.");
  return seconds;
}

export function numberOption(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError("expected a number.");
  }
  return value;
}

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

/** A whole number of at least 1. */
export function countOption(text: string): number {
  const value = numberOption(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("expected a whole number of at least 1.");
  }
  return value;
}

/** `16,32,64` → [16, 32, 64]. */
export function numbersOption(text: string): number[] {
  return text.split(",").map(numberOption);
}

export function listOption(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

/** `8G`, `500M` → bytes. */
export function bytesOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([MG])i?B?$/i.exec(text);
  if (!match) throw new InvalidArgumentError("expected a size such as 500M or 8G.");
  return Math.round(Number(match[1]) * (match[2]!.toUpperCase() === "G" ? 2 ** 30 : 2 ** 20));
}
