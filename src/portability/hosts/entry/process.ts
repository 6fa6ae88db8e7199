/** The main of a worker that is a process, in Bun, Node or Deno: JSON lines on stdin and stdout. */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Worker } from "../../host";
import { type Place, runPlace } from "./place";

/** Begins every line that is a message: drivers and libraries may print to stdout too. */
export const MARK = "@voxgrad ";

async function* received(): AsyncGenerator<unknown> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line);
}

/** Runs until stdin ends. The first argument, if there is one, is the adapter to serve on. */
export async function runProcess(place: Place, { serve }: Worker): Promise<void> {
  process.on("SIGINT", () => {}); // Ctrl-C reaches all of a terminal: whoever started it decides
  const reply = (message: unknown) => {
    process.stdout.write(`${MARK}${JSON.stringify(message)}\n`);
  };
  await runPlace(place, process.argv[2], reply, (device) => serve(device, received(), reply));
  process.exit(0); // timers and pending promises of a driver would keep it
}
