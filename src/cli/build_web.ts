/** `bun run build:web`: see docs/guides/web.md. */
import { makeCommand } from "../terminal/command";
import { checkPaths, given } from "../terminal/command_paths";
import { runMain } from "../terminal/main";
import { printResult } from "../terminal/result";
import { buildSite } from "../web/build";

const program = makeCommand(
  "build:web",
  "Makes the page that predicts in the browser: static files for any host.",
).argument("<folder>", "to write the files into");
program.parse();
await runMain(async () => {
  const [folder = ""] = program.args;
  checkPaths({ reads: [], writes: [], fills: [given("the folder", folder)] });
  const { files } = await buildSite(folder);
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  printResult(
    `${folder}: ${files.size} files, ${(bytes / 1e6).toFixed(1)} MB; any host serves them (locally: bunx serve ${folder})`,
  );
});
