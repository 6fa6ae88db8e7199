/** `bun run view`: see docs/guides/viewer.md. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { during } from "../choose/observer";
import { destroyDevices } from "../gpu/device";
import { removeQuietly } from "../platform/leftovers";
import { writeResult } from "../result/result_folder";
import { TerminalObserver } from "../run/terminal_observer";
import { ADAPTER_OPTION, makeCommand, say } from "../terminal/command";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { countOption } from "../terminal/options";
import { printResult } from "../terminal/result";
import { type ViewOptions, viewResults } from "../viewer/view";
import { demoResult } from "./view/demo";

interface Options extends ViewOptions {
  readonly adapter?: string;
}

const program = makeCommand("view", "Shows results in the browser: look, correct, accept, reject.")
  .argument(
    "[results...]",
    "folders that predict --out-dir made, or folders of them; without any: a made-up patient",
  )
  .option("--port <n>", "of 127.0.0.1 (default: any that is free)", countOption)
  .option("--no-open", "print the address and open no browser")
  .option(...ADAPTER_OPTION);
program.parse();
await runMain(() => view(program.args, program.opts<Options>()));

async function view(paths: readonly string[], options: Options): Promise<void> {
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
  await during(observer, "viewing", () => viewResults(paths, options, printResult, signal));
}
