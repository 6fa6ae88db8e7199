/**
 * The answer in words, as MAGNIMS–CMSC–NAIMS (Wattjes et al., Lancet Neurology 20, 2021) asks of a report
 * on follow-up: the number of new lesions, exact up to ten, and their absence said positively.
 */
import type { ResultLesion, ResultRecord } from "./record";

/** Numbers of lesions above it are "more than". */
const EXACT = 10;

type Answered = Pick<ResultRecord, "kind" | "lesions" | "newLesions" | "quality" | "reading">;

/** "3", "more than 10". */
export const countText = (count: number): string =>
  count > EXACT ? `more than ${EXACT}` : String(count);

/** "0.42 ml", and mm³ below a tenth of a millilitre. */
export function volumeText(mm3: number): string {
  return mm3 < 100 ? `${mm3.toFixed(0)} mm³` : `${(mm3 / 1000).toFixed(2)} ml`;
}

/** One sentence, or two where they are needed to be true. */
export function answerSentence(record: Answered): string {
  const { quality } = record;
  const answer = answerAlone(record);
  if (quality.fit) return answer;
  return `${sentence(quality.lines[0] ?? "The two visits are not fit to be compared")} Without trust in the comparison: ${answer}`;
}

/** The answer; where the visits are not fit to be compared, that must be said beside it. */
export function answerAlone(record: Answered): string {
  if (record.reading) return readAnswer(record, record.reading);
  return record.kind === "change" ? changeAnswer(record) : networkAnswer(record);
}

/** "Visits are not fit" with a stop. */
const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function networkAnswer({ lesions, newLesions, quality }: Answered): string {
  const n = lesions.length;
  const candidates = `${countText(n)} faint ${n === 1 ? "candidate is" : "candidates are"} outlined.`;
  if (!newLesions && !quality.fit) {
    const none = "None was found on FLAIR at visit 2, which does not mean that there is none";
    return n === 0 ? `${none}.` : `${none}; ${candidates}`;
  }
  if (!newLesions && n === 0) return lesionsText([]);
  if (!newLesions) return `No new lesion by the rule for the patient; ${candidates}`;
  if (n === 0) {
    return "A new lesion is likely by the rule for the patient, but none is sure enough to be outlined.";
  }
  return lesionsText(lesions);
}

function lesionsText(lesions: Answered["lesions"]): string {
  const n = lesions.length;
  if (n === 0) return "No new lesion on FLAIR at visit 2.";
  const all = volumeText(lesions.reduce((sum, { volumeMm3 }) => sum + volumeMm3, 0));
  const number = countText(n);
  const words = `${number} new ${n === 1 ? "lesion" : "lesions"} on FLAIR at visit 2, ${all} in all.`;
  return words[0]!.toUpperCase() + words.slice(1);
}

/** A person has looked: whatever found the lesions, they are now the person's. */
function readAnswer(
  { lesions }: Answered,
  { reader, finished }: NonNullable<ResultRecord["reading"]>,
): string {
  const who = reader === "" ? "a reader" : `reader ${reader}`;
  if (finished === null) {
    const so = lesions.length === 0 ? "no lesion is outlined." : lesionsText(lesions);
    return `Reading by ${who} not finished; so far: ${so}`;
  }
  return `${lesionsText(lesions)} Read by ${who} on ${finished.slice(0, 10)}.`;
}

/** The statistic may not say that there is no new lesion: it does not look for lesions. */
function changeAnswer({ lesions }: Answered): string {
  const n = lesions.length;
  const found =
    n === 0
      ? "no place is clearly brighter at visit 2"
      : `${countText(n)} ${n === 1 ? "place is" : "places are"} clearly brighter at visit 2`;
  return `No network was used: by a statistic of change ${found}; it does not tell lesions from other change.`;
}

/** "left · L 23 A 12 S 45": the side of the brain, and mm of the scanner. */
export function placeText({ side, centreMm }: ResultLesion): string {
  const [x, y, z] = centreMm;
  const at = [
    `${x < 0 ? "L" : "R"} ${Math.abs(x).toFixed(0)}`,
    `${y < 0 ? "P" : "A"} ${Math.abs(y).toFixed(0)}`,
    `${z < 0 ? "I" : "S"} ${Math.abs(z).toFixed(0)}`,
  ].join(" ");
  return side === null ? at : `${side} · ${at}`;
}

/** "probability 0.83", or the z of a place of the change statistic. */
export function certaintyText({ probability, peakZ, drawn }: ResultLesion): string {
  if (drawn) return "drawn";
  if (probability !== undefined) return probability.toFixed(2);
  return peakZ === undefined ? "" : `z ${peakZ.toFixed(1)}`;
}
