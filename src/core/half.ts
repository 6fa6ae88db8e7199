/**
 * IEEE half precision where the host has no Float16Array (Node before 24): bits of a number, rounded to
 * nearest and ties to even, and back.
 */
const double = new DataView(new ArrayBuffer(8));

/** Exponent of 2 in a normal number. */
function exponentOf(value: number): number {
  double.setFloat64(0, value);
  return ((double.getUint16(0) >> 4) & 0x7ff) - 1023;
}

function roundToEven(value: number): number {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 === 1 ? nearest - 1 : nearest;
}

export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24);
  const exponent = exponentOf(size);
  // A mantissa that is rounded up to 2 carries into the exponent.
  return sign + ((exponent + 14) << 10) + roundToEven(size * 2 ** (10 - exponent));
}

export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The nearest number that half precision has. */
export const roundToHalf = (value: number): number => halfValue(halfBits(value));
