/** Readers of values as people write them; each says what it expected. They import no parser of options. */
import { UserError } from "../core/errors";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** `90s`, `20m`, `3h`, `1.5h`, `30d` → seconds. @throws UserError */
export function readDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d)$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (!(seconds > 0)) throw new UserError("expected a time such as 90s, 20m, 3h or 30d.");
  return seconds;
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** @throws UserError unless it is a finite number in decimals; `0x10` and `1_000` are none */
export function readNumber(text: string): number {
  const value = Number(text);
  if (DECIMAL.test(text.trim()) && Number.isFinite(value)) return value;
  throw new UserError("expected a number.");
}

/** `16,32,64` → [16, 32, 64]. @throws UserError */
export function readNumbers(text: string): number[] {
  return text.split(",").map(readNumber);
}

/** `a, b` → ["a", "b"]. */
export function readList(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "");
}

/** `8G`, `500M` → bytes. @throws UserError */
export function readBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([MG])i?B?$/i.exec(text);
  if (!match) throw new UserError("expected a size such as 500M or 8G.");
  return Math.round(Number(match[1]) * (match[2]!.toUpperCase() === "G" ? 2 ** 30 : 2 ** 20));
}

/** Bytes as text: `8.2 GiB`. */
export function sizeText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes === 0 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : Number(value.toPrecision(2))} ${units[power]}`;
}
