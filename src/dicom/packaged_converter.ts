/**
 * dcm2niix from the npm package `@niivue/dcm2niix`, with the options of the program. A process of its
 * own: it can be ended at any time, and its memory is its own. The package's own worker needs a
 * browser's FileReader, so its WebAssembly module is called directly.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The part of the Emscripten module that is used. */
interface Dcm2niix {
  readonly FS: {
    mkdir(path: string): void;
    readdir(path: string): string[];
    readFile(path: string): Uint8Array;
    createDataFile(
      folder: string,
      name: string,
      data: Uint8Array,
      canRead: boolean,
      canWrite: boolean,
    ): void;
  };
  callMain(args: string[]): number;
}

/** Files of the folder and of those in it. */
function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status?.isDirectory()) return filesIn(path);
    return status?.isFile() ? [path] : [];
  });
}

const args = process.argv.slice(2);
const [output, input] = args.splice(-2) as [string, string];
const entry = Bun.resolveSync("@niivue/dcm2niix", import.meta.dir);
const url = new URL("./dcm2niix.jpeg.js", pathToFileURL(entry));
const { default: load } = (await import(url.href)) as { default: () => Promise<Dcm2niix> };
const { FS, callMain } = await load();
FS.mkdir("/input");
FS.mkdir("/output");
filesIn(input).forEach((path, i) => {
  // Its files lie in one folder; their own names are for messages.
  FS.mkdir(`/input/${i}`);
  const name = path.split(/[\\/]/).at(-1)!;
  FS.createDataFile(`/input/${i}`, name, readFileSync(path), true, true);
});
const code = callMain([...args, "/output", "/input"]);
for (const name of FS.readdir("/output")) {
  if (!name.startsWith(".")) writeFileSync(join(output, name), FS.readFile(`/output/${name}`));
}
process.exitCode = code;
