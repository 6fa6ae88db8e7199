/**
 * Names of the shared libraries that a library needs (`DT_NEEDED`), in its order. Reads 64-bit
 * little-endian ELF: every Linux machine that Dawn is built for.
 * @throws RangeError when the bytes are no such file
 */
export function neededLibraries(file: Uint8Array): string[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0, false) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new RangeError("not a 64-bit little-endian ELF file");
  }
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const segments = Array.from({ length: view.getUint16(56, true) }, (_, i) => {
    const at = u64(32) + i * view.getUint16(54, true);
    const type = view.getUint32(at, true);
    return { type, offset: u64(at + 8), address: u64(at + 16), size: u64(at + 32) };
  });
  const fileOffset = (address: number) => {
    const load = segments.find(
      (s) => s.type === PT_LOAD && address >= s.address && address < s.address + s.size,
    );
    return load ? address - load.address + load.offset : 0;
  };
  const dynamic = segments.find((s) => s.type === PT_DYNAMIC);
  if (!dynamic) return [];
  const needed: number[] = [];
  let strings = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const tag = u64(at);
    if (tag === DT_NEEDED) needed.push(u64(at + 8));
    if (tag === DT_STRTAB) strings = fileOffset(u64(at + 8));
  }
  const text = (at: number) => new TextDecoder().decode(file.subarray(at, file.indexOf(0, at)));
  return needed.map((offset) => text(strings + offset));
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
