/** `bun run docs` writes the tables of settings in docs/guides. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "../platform/atomic_file";
import { PAGES, withTables } from "../settings/tables";
import { makeCommand, say } from "../terminal/command";
import { runMain } from "../terminal/main";

const GUIDES = join(import.meta.dir, "..", "..", "docs", "guides");

makeCommand(
  "docs",
  "Writes the tables of settings in docs/guides from their declarations.",
).parse();
await runMain(async () => {
  for (const page of PAGES) {
    const file = join(GUIDES, page);
    const old = readFileSync(file, "utf8");
    const text = withTables(old, page);
    if (old !== text) writeAtomically(file, text);
    say(`${file}: ${old === text ? "is as it should be" : "written"}`);
  }
});
