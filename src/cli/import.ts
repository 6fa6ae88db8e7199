import type { OptionValues } from "commander";
import { Memory } from "../gpu/memory";
import { openDevice } from "../hosts/bun";
import { IMPORTERS } from "../import";
import type { Importer } from "../import/importer";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
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
  if (importer.usesDevice) command.option(...ADAPTER_OPTION);
}
await program.parseAsync();

async function importAll(
  importer: Importer,
  dir: string,
  out: string,
  options: OptionValues,
): Promise<void> {
  checkPaths({ reads: [given("<dir>", dir)], fills: [given("<out>", out)] });
  let opened: Promise<Memory> | undefined;
  const memory = () => (opened ??= openMemory(options.adapter));
  const counts = await importer.run(dir, out, options, { say, memory });
  const { written, alreadyThere, leftOut } = counts;
  const more = leftOut > 0 ? `, ${leftOut} left out` : "";
  printResult(`${written} patients written to ${out}, ${alreadyThere} already there${more}`);
}

async function openMemory(adapter?: string): Promise<Memory> {
  const device = await openDevice({ adapter });
  say(device.describe());
  return new Memory(device);
}
