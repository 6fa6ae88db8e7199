/** Readers of values as people write them; each says what it expected. They import no parser of options. */
import { UserError } from "../core/errors";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600 };

/** `90s`, `20m`, `3h`, `1.5h` → seconds. @throws UserError */
export function readDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|min|h)$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (!(seconds > 0)) throw new UserError("expected a time such as 90s, 20m or 3h.");
  return seconds;
}

/** @throws UserError unless it is a finite number */
export function readNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new UserError("expected a number.");
  return value;
}

/** `16,32,64` → [16, 32, 64]. @throws UserError */
export function readNumbers(text: string): number[] {
  return text.split(",").map(readNumber);
}

export function readList(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

/** `8G`, `500M` → bytes. @throws UserError */
export function readBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([MG])i?B?$/i.exec(text);
  if (!match) throw new UserError("expected a size such as 500M or 8G.");
  return Math.round(Number(match[1]) * (match[2]!.toUpperCase() === "G" ? 2 ** 30 : 2 ** 20));
}
