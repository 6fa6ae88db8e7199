import type { OptionValues } from "commander";
import { IMPORTERS } from "../import";
import type { Importer } from "../import/importer";
import { makeCommand, say } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { runMain } from "../terminal/main";
import { printResult } from "../terminal/result";

const program = makeCommand("import", "Brings a public data set into the layout of MSSEG-2.");
for (const importer of IMPORTERS) {
  const command = program
    .command(importer.name)
    .description(importer.help)
    .argument("<dir>", importer.dir)
    .argument("<out>", "folder to write; patients that are there already are left alone")
    .action((dir: string, out: string, options: OptionValues) =>
      runMain(() => importAll(importer, dir, out, options)),
    );
  for (const option of importer.options) command.addOption(option);
}
await program.parseAsync();

async function importAll(
  importer: Importer,
  dir: string,
  out: string,
  options: OptionValues,
): Promise<void> {
  checkPaths({ reads: [given("<dir>", dir)], fills: [given("<out>", out)] });
  const { written, alreadyThere } = await importer.run(dir, out, options, say);
  printResult(`${written} patients written to ${out}, ${alreadyThere} already there`);
}
