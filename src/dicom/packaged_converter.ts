/**
 * dcm2niix from the npm package `@niivue/dcm2niix`, with the options of the program. A process of its
 * own: it can be ended at any time, and its memory is its own. The package's own worker needs a
 * browser's FileReader, so its WebAssembly module is called directly.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Dcm2niix, type NamedBytes, runModule } from "./dcm2niix_module";

/** Files of the folder and of those in it. */
function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status?.isDirectory()) return filesIn(path);
    return status?.isFile() ? [path] : [];
  });
}

function* readIn(folder: string): Generator<NamedBytes> {
  for (const path of filesIn(folder)) {
    yield { name: path.split(/[\\/]/).at(-1)!, bytes: readFileSync(path) };
  }
}

const options = process.argv.slice(2);
const [output, input] = options.splice(-2) as [string, string];
const entry = Bun.resolveSync("@niivue/dcm2niix", import.meta.dir);
const url = new URL("./dcm2niix.jpeg.js", pathToFileURL(entry));
const { default: load } = (await import(url.href)) as { default: () => Promise<Dcm2niix> };
const { written, code } = runModule(await load(), options, readIn(input));
for (const { name, bytes } of written) writeFileSync(join(output, name), bytes);
process.exitCode = code;
