/** Shows results in the browser until Ctrl-C. */
import { openInBrowser } from "./open_browser";
import { serveViewer } from "./server";
import { findResults } from "./worklist";

export interface ViewOptions {
  /** Of 127.0.0.1; by default any that is free. */
  readonly port?: number;
  /** False where the address is printed only. */
  readonly open: boolean;
}

/**
 * @param paths of results, or of folders of results
 * @param print takes the address
 * @param signal ends it; what a reader decided is on disk already
 * @throws UserError where there is no result, or the port is taken
 */
export async function viewResults(
  paths: readonly string[],
  { port, open }: ViewOptions,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const server = await serveViewer(findResults(paths), port);
  const opened = open && openInBrowser(server.url);
  print(`viewer: ${server.url}`);
  print(
    opened
      ? "opened in the browser; Ctrl-C ends the viewer"
      : "open it in a browser; Ctrl-C ends the viewer",
  );
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.stop();
}
