/** Every barrier of every shader, left out: found in the text, so that a new one has its defect at once. */
import { type Defect, defect } from "./defect";
import { SHADERS } from "./shaders";

const BARRIER = /^\s*(workgroup|storage)Barrier\(\);/;

/** Barriers whose absence no case can tell: the shader, and text in the lines that follow. */
const UNTOLD: readonly (readonly [kernel: string, before: string])[] = [
  // For the order in storage alone: the invocations wait at the next barrier, which follows at once.
  ["blob_loss", "add_up(own, lane);"],
  // Without it the search for a root goes round for ever, and a case that takes too long tells nothing.
  ["components", "if (labels[base + i] > 0.5) {\n      if (i % args.W"],
];

export function barrierDefects(): Defect[] {
  return [...SHADERS].flatMap(([kernel, text]) => {
    let all = withoutBarriers(kernel, text);
    for (const [name, before] of UNTOLD.filter(([name]) => name === kernel)) {
      const told = all.filter(({ to }) => !to.includes(before));
      if (told.length !== all.length - 1)
        throw new Error(`${name}: no one barrier before ${before}`);
      all = told;
    }
    return all;
  });
}

/** A defect for each barrier in the text of a shader. */
export function withoutBarriers(kernel: string, text: string): Defect[] {
  const lines = text.split("\n");
  const places = lines.flatMap((line, i) => (BARRIER.test(line) ? [i] : []));
  return places.map((place, k) => {
    const what = `barrier ${k + 1} of ${places.length} is left out`;
    const to = linesAfter(lines, place, text);
    return defect("barrier", kernel, what, `${lines[place]}\n${to}`, to);
  });
}

/** The fewest lines after a barrier that, with it, are found once in the text. */
function linesAfter(lines: readonly string[], place: number, text: string): string {
  for (let end = place + 1; end < lines.length; end++) {
    const from = `${lines.slice(place, end).join("\n")}\n`;
    if (text.split(from).length === 2) return from.slice(lines[place]!.length + 1);
  }
  throw new Error(`line ${place + 1}: a barrier with nothing after it`);
}
