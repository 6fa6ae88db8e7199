/** The main of a worker that is a browser page: functions of the page instead of lines. */
import type { Worker } from "../../host";
import { Channel } from "../channel";
import { type Place, runPlace } from "./place";

/** The names by which the page and its driver (../worker_page.ts) know each other. */
export interface PageGlobals {
  /** Given by the driver: a message of the worker, as JSON; null at its end. */
  voxgradReply(json: string | null): Promise<void>;
  /** Given by the page: a message to the worker, as JSON. */
  voxgradSend?: (json: string) => void;
}

/** The adapter to serve on is in the page's address, after `#`. */
export async function runPage(place: Place, { serve }: Worker): Promise<void> {
  const page = globalThis as unknown as PageGlobals & { location: { hash: string } };
  const received = new Channel<unknown>();
  page.voxgradSend = (json) => received.push(JSON.parse(json));
  const reply = (message: unknown) => void page.voxgradReply(JSON.stringify(message));
  const adapter = decodeURIComponent(page.location.hash.slice(1)) || undefined;
  await runPlace(place, adapter, reply, (device) => serve(device, received, reply));
  await page.voxgradReply(null);
}
