/** Server-sent events of runs: everything that there is, then what their files get. */
import type { NamedRun } from "./find_runs";
import type { Message } from "./message";
import { RunFollower } from "./run_follower";

/** Milliseconds between two looks at the files. Asking works on every file system; watching does not. */
const EVERY = 500;
/** Looks without news after which a comment goes out: a connection that is gone is noticed. */
const SILENT = 20;

/** The body of a response; it ends when the page goes away. */
export function eventStream(runs: readonly NamedRun[]): ReadableStream<Uint8Array> {
  const followers = runs.map((run, i) => new RunFollower(run, i));
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  let silent = 0;
  return new ReadableStream({
    start(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      const sendAll = (messages: readonly Message[]) => {
        for (const message of messages) send(`data: ${JSON.stringify(message)}\n\n`);
        silent = messages.length > 0 ? 0 : silent + 1;
        if (silent % SILENT === SILENT - 1) send(": still here\n\n");
      };
      sendAll([{ kind: "hello", runs: runs.map(({ name }) => name) }]);
      const look = () => sendAll(followers.flatMap((follower) => follower.poll()));
      look();
      timer = setInterval(look, EVERY);
    },
    cancel() {
      clearInterval(timer);
    },
  });
}
