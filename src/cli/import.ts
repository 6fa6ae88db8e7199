import { mkdir } from "node:fs/promises";
import { Option } from "commander";
import { UserError } from "../core/errors";
import { type Interpolation, importLjubljana } from "../import/ljubljana";
import { findLjubljana } from "../import/ljubljana_files";
import { makeCommand, say } from "../terminal/command";
import { runMain } from "../terminal/main";
import { listOption } from "../terminal/options";

interface Options {
  readonly interpolation: Interpolation;
  readonly patients?: string[];
}

const program = makeCommand("import", "Brings a public data set into the layout of MSSEG-2.");
program
  .command("ljubljana")
  .description(
    "Longitudinal MR images of multiple-sclerosis patients, Laboratory of Imaging Technologies, " +
      "University of Ljubljana (CC BY): raw FLAIR of two studies, with lesion changes.",
  )
  .argument("<dir>", "the data set as published, in either of its namings")
  .argument("<out>", "folder to write; patients that are there already are left alone")
  .addOption(
    new Option("--interpolation <kind>", "how the scans are resampled to the common space")
      .choices(["cubic", "linear"])
      .default("cubic"),
  )
  .option("--patients <ids>", "only these, e.g. patient01,patient03", listOption)
  .action((dir: string, out: string, options: Options) =>
    runMain(() => importAll(dir, out, options)),
  );
await program.parseAsync();

async function importAll(dir: string, out: string, options: Options): Promise<void> {
  const patients = await findLjubljana(dir, options.patients);
  await mkdir(out, { recursive: true }).catch((error: Error) => {
    throw new UserError(`${out}: cannot be used as a folder (${error.message}); choose another`);
  });
  let written = 0;
  for (const [i, patient] of patients.entries()) {
    const { outcome, notes } = await importLjubljana(patient, out, options.interpolation);
    for (const note of notes) say(note);
    say(`${i + 1}/${patients.length}  ${patient.id}  ${outcome}`);
    if (outcome === "written") written++;
  }
  console.log(`${written} patients written to ${out}, ${patients.length - written} already there`);
}
