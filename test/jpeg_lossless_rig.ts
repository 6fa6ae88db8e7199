/** JPEG lossless (ITU-T T.81, process 14, first-order prediction) of 16-bit images, for tests. */

/** Bits that a difference needs: its category in the Huffman table. */
const categoryOf = (difference: number) => 32 - Math.clz32(Math.abs(difference));
/** Every category from 0 to 16 has a code of as many bits: its own number. */
const CODE_BITS = 5;
const CATEGORIES = 17;

function segment(marker: number, ...content: readonly number[]): number[] {
  return [0xff, marker, 0, content.length + 2, ...content];
}

/** The values before `i`: to the left, at the start of a row above, at first half of the range. */
function predicted(pixels: Uint16Array, columns: number, i: number): number {
  if (i === 0) return 2 ** 15;
  return pixels[i % columns === 0 ? i - columns : i - 1]!;
}

/** Differences modulo 2¹⁶, from −32767 to 32768, as bits. */
function scanBits(pixels: Uint16Array, columns: number): string {
  return Array.from(pixels, (value, i) => {
    const wrapped = (value - predicted(pixels, columns, i)) & 0xffff;
    const difference = wrapped > 32768 ? wrapped - 65536 : wrapped;
    const category = categoryOf(difference);
    const code = category.toString(2).padStart(CODE_BITS, "0");
    if (category === 0 || category === 16) return code;
    const low = difference > 0 ? difference : difference + 2 ** category - 1;
    return code + low.toString(2).padStart(category, "0");
  }).join("");
}

export function jpegLossless(pixels: Uint16Array, columns: number, rows: number): Buffer {
  const bits = scanBits(pixels, columns);
  const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  const scan = whole.match(/.{8}/g)!.flatMap((byte) => {
    const value = Number.parseInt(byte, 2);
    return value === 0xff ? [value, 0] : [value];
  });
  const [columnsHigh, rowsHigh] = [columns >> 8, rows >> 8];
  const codesByLength = Array.from({ length: 16 }, (_, i) =>
    i + 1 === CODE_BITS ? CATEGORIES : 0,
  );
  const categories = Array.from({ length: CATEGORIES }, (_, i) => i);
  return Buffer.from([
    ...[0xff, 0xd8],
    ...segment(0xc3, 16, rowsHigh, rows & 255, columnsHigh, columns & 255, 1, 1, 0x11, 0),
    ...segment(0xc4, 0, ...codesByLength, ...categories),
    ...segment(0xda, 1, 1, 0, 1, 0, 0),
    ...scan,
    ...[0xff, 0xd9],
  ]);
}
