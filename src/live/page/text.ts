/** Numbers and times as text. */

/** 4 s, 3:20 min, 2:05 h. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}

/** A place on an axis of training time: whole numbers of a unit. */
export function timeTick(seconds: number): string {
  if (seconds % 3600 === 0 && seconds > 0) return `${seconds / 3600} h`;
  return seconds < 60 ? `${seconds} s` : `${seconds / 60} min`;
}

/** Three digits that count; powers of ten where that is short. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1000 || size < 0.01) return value.toExponential(1).replace("e+", "e");
  return value.toPrecision(3);
}

/** A place on an axis: as few digits as say it, three at least where it has more than six. */
export function tick(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size >= 10_000 || size < 0.001))
    return value.toExponential(0).replace("e+", "e");
  const exact = [3, 4, 5, 6].find(
    (digits) => Math.abs(Number(value.toPrecision(digits)) - value) <= 1e-9 * size,
  );
  return String(Number(value.toPrecision(exact ?? 3)));
}

/** A score from 0 to 1. */
export const score = (value: number | undefined): string =>
  value === undefined ? "–" : value.toFixed(3);
