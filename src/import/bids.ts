import { join } from "node:path";
import { Option } from "commander";
import { z } from "zod";
import { UserError } from "../core/errors";
import { readJsonFile } from "../platform/json_file";
import { idsOption } from "../terminal/options";
import { BIDS_LAYOUT, type BidsChoices, findBids } from "./bids_files";
import type { CohortSource } from "./cohort_readme";
import { contentsOf, namesIn } from "./folder";
import type { Importer } from "./importer";
import { importVisits, visitOptions } from "./visit_cohort";

/** Any data set in BIDS with FLAIR of several sessions; docs/guides/data.md says what is made of it. */
export const BIDS: Importer = {
  name: "bids",
  help:
    "A data set in BIDS (its own licence): FLAIR of several sessions, and masks of the new or of all " +
    "lesions in derivatives/; pairs of sessions, registered.",
  dir: "folder that holds dataset_description.json",
  options: [
    ...visitOptions("rigid", "sub-01,sub-07"),
    new Option(
      "--derivatives <names>",
      "folders below derivatives/ to take masks from; all by default",
    ).argParser(idsOption),
  ],
  usesDevice: true,
  async run(dir, out, options, tools) {
    const choices = options as BidsChoices;
    const source = await describe(dir);
    const { notes, ...found } = await findBids(dir, choices);
    for (const note of notes) tools.say(note);
    const settings = { derivatives: choices.derivatives ?? "all" };
    return importVisits({ ...source, settings }, found, out, options, tools);
  },
};

const DESCRIPTION = "dataset_description.json";
const descriptionSchema = z.looseObject({
  Name: z.string(),
  License: z.string().optional(),
  HowToAcknowledge: z.string().optional(),
  DatasetDOI: z.string().optional(),
  ReferencesAndLinks: z.array(z.string()).optional(),
});

/** Name, licence and citation, as the data set states them. */
async function describe(dir: string): Promise<CohortSource> {
  const names = await namesIn(dir, BIDS_LAYOUT);
  if (!names.includes(DESCRIPTION)) {
    throw new UserError(
      `${dir}: holds no ${DESCRIPTION} (${contentsOf(names)}); a data set in BIDS has one at its root: ` +
        "give that folder",
    );
  }
  const remedy = "mend it, or copy the data set again from its source";
  const stated = readJsonFile(join(dir, DESCRIPTION), descriptionSchema, remedy);
  const { Name, License, HowToAcknowledge, DatasetDOI, ReferencesAndLinks = [] } = stated;
  const cite = [HowToAcknowledge, ...ReferencesAndLinks, DatasetDOI].filter(Boolean).join("; ");
  return {
    dir,
    command: "bids",
    title: [Name, DatasetDOI].filter(Boolean).join(", "),
    licence: License ? `${License}.` : `${DESCRIPTION} names no licence: ask those who publish it.`,
    cite: cite || Name,
    hasNewLesions: true,
  };
}
