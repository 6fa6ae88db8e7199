/** The script of `@niivue/dcm2niix`, which the package does not export: src/web/build.ts finds it. */
declare module "dcm2niix-module" {
  import type { Dcm2niix } from "../../dicom/dcm2niix_module";

  const load: (options: {
    readonly wasmBinary: ArrayBuffer;
    readonly locateFile: (name: string) => string;
    readonly print: (line: string) => void;
    readonly printErr: (line: string) => void;
  }) => Promise<Dcm2niix>;
  export default load;
}
