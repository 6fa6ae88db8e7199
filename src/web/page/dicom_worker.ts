/** The worker that converts DICOM: dcm2niix as WebAssembly. One examination each; it asks for nothing from any address. */
import load from "dcm2niix-module";
import { messageOf } from "../../core/errors";
import { OPTIONS } from "../../dicom/conversion";
import { type NamedBytes, runModule } from "../../dicom/dcm2niix_module";
import type { ConvertRequest, Reply } from "./dicom";

/** As much of a worker's global scope as is used; the page's types know only its window. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ConvertRequest>) => void;
  postMessage(reply: Reply): void;
  readonly FileReaderSync: new () => { readAsArrayBuffer(file: File): ArrayBuffer };
};

/** One by one, so that no more of them than one lies in memory twice. */
function* bytesOf(files: readonly File[]): Generator<NamedBytes> {
  const reader = new scope.FileReaderSync();
  for (const file of files) {
    yield { name: file.name, bytes: new Uint8Array(reader.readAsArrayBuffer(file)) };
  }
}

async function convert({ wasm, files }: ConvertRequest): Promise<Reply> {
  const lines: string[] = [];
  const add = (line: string) => lines.push(line);
  const told = { print: add, printErr: add };
  const module = await load({ wasmBinary: wasm, locateFile: (name) => name, ...told });
  return { ...runModule(module, OPTIONS, bytesOf(files)), lines };
}

scope.onmessage = ({ data }) => {
  convert(data)
    .catch((error) => ({ failed: messageOf(error) }))
    .then((reply) => scope.postMessage(reply));
};
