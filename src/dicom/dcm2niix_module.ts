/** dcm2niix of the npm package `@niivue/dcm2niix`, a WebAssembly module: with the options of the program. */

/** The part of the Emscripten module that is used. */
export interface Dcm2niix {
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

export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Converts files, once for each module.
 * @param files read one by one as they are copied
 * @returns the files that it wrote, and its exit code
 */
export function runModule(
  { FS, callMain }: Dcm2niix,
  options: readonly string[],
  files: Iterable<NamedBytes>,
): { readonly written: readonly NamedBytes[]; readonly code: number } {
  FS.mkdir("/input");
  FS.mkdir("/output");
  let count = 0;
  for (const { name, bytes } of files) {
    // Its files lie in one folder; their own names are for messages.
    const folder = `/input/${count++}`;
    FS.mkdir(folder);
    FS.createDataFile(folder, name, bytes, true, true);
  }
  const code = callMain([...options, "/output", "/input"]);
  const names = FS.readdir("/output").filter((name) => !name.startsWith("."));
  return { written: names.map((name) => ({ name, bytes: FS.readFile(`/output/${name}`) })), code };
}
