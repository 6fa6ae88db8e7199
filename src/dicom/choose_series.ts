/** The FLAIR among the series of an examination. Where it is not certain nothing is guessed. */
import { UserError } from "../core/errors";
import { table } from "../terminal/text_table";
import { acquisitionOf, dateText } from "./acquisition";
import type { Conversion, Converted } from "./conversion";

/** Names that vendors give to a FLAIR: Siemens' TIRM, dark-fluid and da-fl among them. */
const NAMED = /flair|tirm|dark[ _-]?fl|(?<![a-z])da[_-]?fl(?![a-z])/i;
/** Reformatted, projected or subtracted images, by their names. */
const DERIVED_NAME = /(?<![a-z])(mpr|mip|reformat\w*|sub(tr\w*)?)(?![a-z])/i;
const DERIVED_TYPE = /^(derived|secondary|mpr|reformatted|projection image|mip|subtraction)$/i;
/** Fewer slices show no head. */
const FEWEST_SLICES = 8;

/**
 * "flair": by name, and the times do not contradict it. "times": by its times alone. "derived": made
 * of a FLAIR. "part": a FLAIR of several volumes or of too few slices.
 */
export type Verdict = "flair" | "times" | "derived" | "part" | "other";

const VERDICT_TEXT: Readonly<Record<Verdict, string>> = {
  flair: "FLAIR",
  times: "FLAIR by its times",
  derived: "derived from a FLAIR",
  part: "FLAIR, but no single volume",
  other: "",
};

/** Ranges of a T2-weighted FLAIR from 1 to 7 T, in seconds; a T1-weighted one inverts earlier. */
const TIMES = [
  ["RepetitionTime", 3.5, 20],
  ["EchoTime", 0.06, 1],
  ["InversionTime", 1.4, 3.4],
] as const;

export function verdictOn({ sidecar, size, volumes }: Converted): Verdict {
  const known = TIMES.filter(([name]) => sidecar[name] !== undefined);
  const fits = known.every(([name, least, most]) => {
    const time = sidecar[name]!;
    return time >= least && time <= most;
  });
  const names = [sidecar.SeriesDescription, sidecar.ProtocolName, sidecar.SequenceName].join(" ");
  const isNamed = NAMED.test(names);
  if (!fits || !(isNamed || known.length === TIMES.length)) return "other";
  const isDerived = sidecar.ImageType?.some((type) => DERIVED_TYPE.test(type));
  if (isDerived || DERIVED_NAME.test(sidecar.SeriesDescription ?? "")) return "derived";
  if (volumes > 1 || Math.min(...size) < FEWEST_SLICES) return "part";
  return isNamed ? "flair" : "times";
}

/**
 * @param wanted the number of the series, where the user names it
 * @param notes collects what is worth saying
 * @param way how the user chooses one
 * @throws UserError for several patients, and with all series where the choice is not certain
 */
export function chooseSeries(
  { images, complete }: Conversion,
  name: string,
  wanted: number | undefined,
  notes: string[],
  way = BY_OPTION,
): Converted {
  const patients = new Set(images.flatMap(({ sidecar }) => sidecar.PatientID ?? []));
  if (patients.size > 1) {
    throw new UserError(
      `${name}: holds images of ${patients.size} patients (by PatientID); give the folder of one`,
    );
  }
  const judged = images.map((image) => ({ image, verdict: verdictOn(image) }));
  const chosen =
    wanted === undefined
      ? judged.filter(({ verdict }) => verdict === "flair")
      : judged.filter(({ image }) => image.sidecar.SeriesNumber === wanted);
  if (chosen.length === 1) return whole(chosen[0]!.image, name, notes);
  const [only] = judged;
  const isAlone = wanted === undefined && judged.length === 1 && complete;
  if (isAlone && only?.verdict === "times") {
    notes.push(`${name}: its one series is taken as the FLAIR: by its times, not by its name`);
    return whole(only.image, name, notes);
  }
  throw new UserError(`${name}: ${uncertainty(chosen.length, wanted, way)}\n${listOf(judged)}`);
}

const ONE = "give the folder of one series";
const BY_OPTION = `choose one with --series N, or ${ONE}`;

function uncertainty(count: number, wanted: number | undefined, way: string): string {
  if (wanted === undefined) {
    const found = count === 0 ? "no series is certainly the FLAIR" : `${count} series are a FLAIR`;
    return `${found}; ${way}:`;
  }
  return count === 0
    ? `there is no series ${wanted}; choose one of these:`
    : `${count} images have the series number ${wanted}; ${ONE}:`;
}

/** @throws UserError where slices are missing */
function whole(image: Converted, name: string, notes: string[]): Converted {
  const series = `${name}: series ${image.sidecar.SeriesNumber ?? "without a number"}`;
  if (image.warnings.some((line) => /interslice distance varies/i.test(line))) {
    throw new UserError(
      `${series} has slices at unequal distances: some are missing; copy it again from its source`,
    );
  }
  const missing = image.warnings.find((line) => /missing images/i.test(line));
  if (missing) notes.push(`${series}: ${missing.replace(/^Warning: /, "")}`);
  return image;
}

function listOf(judged: readonly { image: Converted; verdict: Verdict }[]): string {
  const number = ({ image }: { image: Converted }) => image.sidecar.SeriesNumber ?? Infinity;
  const ms = (seconds: number | undefined) =>
    seconds === undefined ? "–" : String(Number((seconds * 1000).toPrecision(4)));
  const head = ["series", "description", "kind", "voxels", "mm", "TR/TE/TI ms", "date", "seems"];
  const rows = judged
    .toSorted((a, b) => number(a) - number(b))
    .map(({ image, verdict }) => {
      const { sidecar, size, volumes, spacing } = image;
      const { description, date } = acquisitionOf(image);
      return [
        String(sidecar.SeriesNumber ?? "–"),
        description ?? "–",
        sidecar.MRAcquisitionType ?? "–",
        size.join("×") + (volumes > 1 ? `, ${volumes} volumes` : ""),
        spacing.map((edge) => Number(edge.toPrecision(3))).join("×"),
        [sidecar.RepetitionTime, sidecar.EchoTime, sidecar.InversionTime].map(ms).join("/"),
        date ? dateText(date) : "–",
        VERDICT_TEXT[verdict],
      ];
    });
  return table([head, ...rows]).join("\n");
}
