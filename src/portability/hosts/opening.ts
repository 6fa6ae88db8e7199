/** The first message of a worker, which says whether its device opened. */
import type { HostWorker } from "../host";
import type { Opening } from "./entry/place";

/** A driver that takes longer to list its adapters or to open one is taken to hang. */
const PATIENCE_MS = 120_000;

/** Waits for it; a worker that ends before, or says nothing in time, has failed. */
export async function openingOf(worker: HostWorker): Promise<Opening> {
  const impatience = setTimeout(() => void worker.stop(), PATIENCE_MS);
  const { value, done } = await worker.messages[Symbol.asyncIterator]().next();
  clearTimeout(impatience);
  if (!done) return value as Opening;
  const { kind, detail } = await worker.ended;
  const late = `no answer in ${PATIENCE_MS / 1000} s: the driver hangs`;
  return { failure: kind === "killed" ? late : detail };
}

/** Returns the worker once its device is open. @throws Error with the reason when it did not open */
export async function opened(worker: HostWorker): Promise<HostWorker> {
  const opening = await openingOf(worker);
  if ("ready" in opening) return worker;
  await worker.stop();
  throw new Error("failure" in opening ? opening.failure : "it lists adapters, and opens none");
}
