/** The judgement on a series, a FLAIR by its name and its times or none, and on two visits. */
import { describe, expect, test } from "bun:test";
import { verdictOn } from "../src/dicom/choose_series";
import { doubtsOf } from "../src/dicom/doubts";
import type { Sidecar } from "../src/dicom/sidecar";

describe("a series is a FLAIR", () => {
  const times = { RepetitionTime: 9, EchoTime: 0.1, InversionTime: 2.5 };
  const verdict = (sidecar: Sidecar, size: [number, number, number] = [256, 256, 40]) =>
    verdictOn({ file: "", sidecar, size, volumes: 1, spacing: [1, 1, 3], warnings: [] });

  test.each([
    "FLAIR_longTR",
    "t2_tirm_tra_dark-fluid_3mm",
    "t2_spc_da-fl_sag_p2_iso",
    "Sag CUBE T2 FLAIR",
    "3D_Brain_VIEW_FLAIR_SHC",
  ])("by its name, %s", (SeriesDescription) => {
    expect(verdict({ SeriesDescription })).toBe("flair");
    expect(verdict({ SeriesDescription, ...times })).toBe("flair");
    expect(verdict({ ProtocolName: SeriesDescription, ...times })).toBe("flair");
  });

  test.each<readonly [string, Sidecar]>([
    ["a T1-weighted FLAIR", { ...times, RepetitionTime: 2.5, EchoTime: 0.01, InversionTime: 0.9 }],
    ["a STIR", { ...times, InversionTime: 0.16 }],
    ["a short echo", { EchoTime: 0.012 }],
  ])("unless its times contradict it: %s", (_, contradiction) => {
    expect(verdict({ SeriesDescription: "tirm flair", ...contradiction })).toBe("other");
  });

  test("not for certain by its times alone, derived, a localiser or another contrast", () => {
    expect(verdict({ SeriesDescription: "Brain 5", ...times })).toBe("times");
    expect(verdict({ SeriesDescription: "FLAIR_MPR_cor" })).toBe("derived");
    const ImageType = ["DERIVED", "SECONDARY", "MPR"];
    expect(verdict({ SeriesDescription: "FLAIR", ImageType })).toBe("derived");
    expect(verdict({ SeriesDescription: "FLAIR" }, [256, 256, 3])).toBe("part");
    expect(verdict({ SeriesDescription: "t1_mprage_sag", EchoTime: 0.003 })).toBe("other");
    expect(verdict({})).toBe("other");
  });
});

test("two visits: other patients and a wrong order are said, what is unknown is not", () => {
  const earlier = { patient: "A", acquisition: { date: { year: 2015, month: 3, day: 2 } } };
  const later = { patient: "A", acquisition: { date: { year: 2016, month: 3, day: 2 } } };
  expect(doubtsOf(earlier, later)).toEqual([]);
  expect(doubtsOf(earlier, earlier)).toEqual([]);
  expect(doubtsOf({}, later)).toEqual([]);
  expect(doubtsOf(later, earlier)).toEqual([
    "visit 2 (2015-03-02) is earlier than visit 1 (2016-03-02): check their order",
  ]);
  expect(doubtsOf(earlier, { ...later, patient: "B" })).toEqual([
    "the two visits have different PatientIDs: check that they are of one patient",
  ]);
});
