/** The log: lines that a run told on the terminal. The newest is at the end and stays in view. */
import { byId, make } from "../../viewer/page/dom";
import type { Run } from "./store";

/** Lines that the page keeps. */
const MOST = 1000;
let shown = "";

/** Once the panel is seen: what is hidden does not scroll. */
export function showLogEnd(): void {
  const panel = byId("log");
  panel.scrollTop = panel.scrollHeight;
}

export function showLog(run: Run | undefined): void {
  const log = run?.log ?? [];
  const now = JSON.stringify([run?.name, log.length, log.at(-1)]);
  if (now === shown) return;
  shown = now;
  const panel = byId("log");
  const isAtEnd = panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 30;
  if (log.length === 0) {
    const why = "No log.txt: an earlier version of voxgrad trained this run, or nothing was told.";
    panel.replaceChildren(make("p", { class: "none" }, why));
    return;
  }
  panel.replaceChildren(
    ...log.slice(-MOST).map((line) => {
      const space = line.indexOf(" ");
      const [time, text] = [line.slice(0, space), line.slice(space + 1)];
      const date = new Date(time);
      const clock = Number.isNaN(date.getTime()) ? time : date.toLocaleTimeString("en-GB");
      return make("p", {}, make("time", { datetime: time, title: time }, clock), text);
    }),
  );
  if (isAtEnd) showLogEnd();
}
