/** Shows runs in the browser until a signal comes. */
import { openInBrowser } from "../viewer/open_browser";
import { namedRuns } from "./find_runs";
import { type LivePort, serveRuns } from "./server";

export interface ViewRunsOptions extends LivePort {
  /** False where the address is printed only. */
  readonly open: boolean;
}

/**
 * @param paths of run folders
 * @param print takes the address, then what can be done
 * @throws UserError where a run cannot be read, or the port is taken
 */
export async function viewRuns(
  paths: readonly string[],
  { open, ...port }: ViewRunsOptions,
  print: (lines: readonly [string, string]) => void,
  signal: AbortSignal,
): Promise<void> {
  const server = await serveRuns(namedRuns(paths), port);
  const opened = open && openInBrowser(server.url);
  print([
    `live page: ${server.url}`,
    opened ? "opened in the browser; Ctrl-C ends it" : "open it in a browser; Ctrl-C ends it",
  ]);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.stop();
}
