/** `bun run view`: see docs/guides/viewer.md. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { during } from "../choose/observer";
import { UserError } from "../core/errors";
import { destroyDevices } from "../gpu/device";
import { runsAt } from "../live/find_runs";
import { viewRuns } from "../live/view_runs";
import { removeQuietly } from "../platform/leftovers";
import { writeResult } from "../result/result_folder";
import { TerminalObserver } from "../run/terminal_observer";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { countOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { type ViewOptions, viewResults } from "../viewer/view";
import { BESIDE_TRAINING, LIVE_PORT, untilTrainingEnds } from "./view/beside_training";
import { demoResult } from "./view/demo";

interface Options extends ViewOptions {
  readonly adapter?: string;
  /** Started by `train --live`. */
  readonly besideTraining?: boolean;
}

const program = makeCommand("view", "Shows results and runs in the browser.")
  .argument(
    "[folders...]",
    "results of predict --out-dir, or run folders of train, or folders of either; without any: a made-up patient",
  )
  .option("--port <n>", "of 127.0.0.1 (default: any that is free)", countOption)
  .option("--no-open", "print the address and open no browser")
  .option(...ADAPTER_OPTION)
  .addOption(BESIDE_TRAINING);
program.parse();
await runMain(() => view(program.args, program.opts<Options>()));

async function view(paths: readonly string[], options: Options): Promise<void> {
  if (options.besideTraining) return showBesideTraining(paths, options);
  const observer = new TerminalObserver();
  await untilInterrupted(observer.signal, async () => {
    if (paths.length > 0) return show(paths, options, observer);
    say("no result is named: a made-up patient is predicted and shown, and removed at the end");
    const demo = await demoResult(options, observer);
    destroyDevices();
    const folder = mkdtempSync(join(tmpdir(), "voxgrad-demo-"));
    try {
      await writeResult(folder, demo);
      await show([folder], options, observer);
    } finally {
      removeQuietly(folder);
    }
  });
}

/** Until Ctrl-C. */
async function show(paths: readonly string[], options: Options, observer: TerminalObserver) {
  const { signal } = observer;
  const runs = paths.map(runsAt);
  const { port = 0, open } = options;
  await during(observer, "viewing", () => {
    if (runs.every((found) => found.length === 0)) {
      return viewResults(paths, options, printResult, signal);
    }
    const other = paths.find((_, i) => runs[i]!.length === 0);
    if (other !== undefined) {
      throw new UserError(
        `${other}: holds no run, but another does; name runs alone, or results alone`,
      );
    }
    return viewRuns(runs.flat(), { port, orNext: false, open }, printBoth, signal);
  });
}

/** Until the training ends, which prints what this process prints. */
async function showBesideTraining(paths: readonly string[], options: Options): Promise<void> {
  const { port = LIVE_PORT, open } = options;
  const printAddress = ([address]: readonly [string, string]) => printResult(address);
  const ports = { port, orNext: true, open };
  await viewRuns(paths.flatMap(runsAt), ports, printAddress, untilTrainingEnds());
}

function printBoth(lines: readonly [string, string]): void {
  printResult(lines.join("\n"));
}
