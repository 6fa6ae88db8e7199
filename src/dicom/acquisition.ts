/** A scan's origin, as its DICOM says. */
import type { Sidecar } from "./sidecar";

export interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

export interface Acquisition {
  readonly seriesNumber?: number;
  readonly description?: string;
  readonly manufacturer?: string;
  readonly model?: string;
  /** Tesla. */
  readonly fieldStrength?: number;
  readonly date?: CalendarDate;
  /** mm. */
  readonly sliceThickness?: number;
}

export function acquisitionOf({ sidecar }: { readonly sidecar: Sidecar }): Acquisition {
  return {
    seriesNumber: sidecar.SeriesNumber,
    description: sidecar.SeriesDescription ?? sidecar.ProtocolName,
    manufacturer: sidecar.Manufacturer,
    model: sidecar.ManufacturersModelName,
    fieldStrength: sidecar.MagneticFieldStrength,
    date: dateOf(sidecar.AcquisitionDateTime),
    sliceThickness: sidecar.SliceThickness,
  };
}

function dateOf(text: string | undefined): CalendarDate | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(text ?? "") ?? [];
  if (year === undefined) return undefined;
  return { year: Number(year), month: Number(month), day: Number(day) };
}

/** YYYY-MM-DD */
export function dateText({ year, month, day }: CalendarDate): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
}

/** A visit as it stands in a result's record. @param scan as its user named it */
export const visitRecord = (scan: string, facts: Acquisition | undefined) => ({
  name: scan,
  date: facts?.date && dateText(facts.date),
  scanner: facts && acquisitionText({ ...facts, date: undefined }),
});

/** One line: `Siemens Skyra 3 T, 2015-03-02, slices of 3 mm`; what is not known is left out. */
export function acquisitionText(acquisition: Acquisition): string {
  const { manufacturer, model, fieldStrength, date, sliceThickness } = acquisition;
  const short = (value: number) => String(Number(value.toPrecision(3)));
  const scanner = [manufacturer, model, fieldStrength && `${short(fieldStrength)} T`];
  const parts = [
    scanner.filter(Boolean).join(" ") || "unknown scanner",
    date ? dateText(date) : "unknown date",
    sliceThickness && `slices of ${short(sliceThickness)} mm`,
  ];
  return parts.filter(Boolean).join(", ");
}
