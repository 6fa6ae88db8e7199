/** The parts that all commands share: the report of a bad option, and the option `--adapter`. */
import { Command } from "commander";
import { UserError } from "../core/errors";
import { printNow } from "./result";

/** A command whose errors are one line on stderr and exit code 2. */
export function makeCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .configureOutput({
      writeOut: printHelp,
      outputError: (text, write) => write(text.replace(/^error: /, "voxgrad: ")),
    })
    .showHelpAfterError(`(\`bun run ${name} --help\` lists the options)`)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function printHelp(text: string): void {
  try {
    printNow(text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say(`voxgrad: ${error.message}`);
    process.exit(2);
  }
}

/** A line for the user; standard output stays free for results. */
export const say = (line: string): boolean => process.stderr.write(`${line}\n`);

export const ADAPTER_OPTION = [
  "--adapter <name>",
  "adapter to run on: lavapipe, swiftshader, gpu, or part of its name (`bun run adapters`)",
] as const;
