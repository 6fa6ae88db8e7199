/** The option `--series` of the commands that take two scans. */
import { readSeries } from "../../dicom/read_visits";
import { optionParser } from "../../terminal/options";

export const SERIES_OPTION = [
  "--series <n>",
  "of DICOM: the number of the FLAIR's series, or two for the two visits, as 5,7",
  optionParser(readSeries),
] as const;
