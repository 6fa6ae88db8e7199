/** The live page: messages come in, views follow; keys do all that a pointer does. */
import { byId, make } from "../../viewer/page/dom";
import type { Message } from "../message";
import { Chart } from "./chart";
import { CHARTS } from "./chart_specs";
import { showLog, showLogEnd } from "./log_view";
import { PictureDialog, showPatients } from "./patients_view";
import { showRuns } from "./runs_view";
import type { Axis } from "./series";
import { showSettings } from "./settings_view";
import { Store } from "./store";
import { duration } from "./text";

const TABS = [
  ["patients", "Validation", "1"],
  ["log", "Log", "2"],
  ["settings", "Settings", "3"],
] as const;

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ["← →", "read the curves: a report back, a report on"],
  ["Home End", "the first report, the last"],
  ["Esc", "read the newest values again"],
  ["T", "iterations or training time below the curves"],
  ["N", "the next run"],
  ["H", "hide or show the curves of this run"],
  ["1 2 3", "validation patients, log, settings"],
  ["P", "the patients' pictures, large; ← → for the next"],
  ["?", "this list"],
];

export class App {
  private readonly store = new Store();
  private readonly picture = new PictureDialog();
  private readonly charts = CHARTS.map((spec) => new Chart(spec, (at) => this.read(at)));
  private axis: Axis = "iteration";
  /** The place on the x axis whose values are shown; undefined: the newest. */
  private at: number | undefined;
  private isDue = false;
  private isConnected = false;

  start(events: EventSource): void {
    byId("tabs").append(...TABS.map(([id, title]) => this.tab(id, title)));
    this.openTab("patients");
    byId("help").append(
      ...KEYS.map(([keys, does]) =>
        make(
          "p",
          {},
          make("span", {}, ...keys.split(" ").map((key) => make("kbd", {}, key))),
          does,
        ),
      ),
    );
    byId("show-help").addEventListener("click", () => this.help());
    document.addEventListener("keydown", (event) => this.pressed(event));
    events.addEventListener("message", ({ data }) => {
      this.isConnected = true;
      this.store.take(JSON.parse(String(data)) as Message);
      this.drawSoon();
    });
    events.addEventListener("error", () => {
      this.isConnected = false;
      this.drawSoon();
    });
  }

  /** Once for all messages that come before the next picture of the screen. */
  private drawSoon(): void {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.draw();
    });
  }

  private draw(): void {
    const { store } = this;
    showRuns(store, () => this.draw());
    this.drawCharts();
    showPatients(store.chosen, (place) => this.picture.open(store.chosen, place));
    showLog(store.chosen);
    showSettings(store);
    this.showReading();
    const problem = this.isConnected
      ? store.runs.map((run) => run.problem).find((text) => text !== "")
      : "The server of this page has ended; this is what came until then.";
    byId("problem").hidden = problem === undefined;
    byId("problem").textContent = problem ?? "";
  }

  private drawCharts(): void {
    for (const chart of this.charts) chart.draw(this.store.runs, this.axis, this.at);
    const shown = this.charts.filter(({ isIdle }) => !isIdle).map(({ element }) => element);
    const panel = byId("charts");
    if (shown.length !== panel.children.length) panel.replaceChildren(...shown);
  }

  private read(at: number | undefined): void {
    if (at === this.at) return;
    this.at = at;
    for (const chart of this.charts) chart.read(at);
    this.showReading();
  }

  private showReading(): void {
    const { at, axis } = this;
    const place = axis === "iteration" ? `iteration ${Math.round(at ?? 0)}` : duration(at ?? 0);
    byId("reading").textContent = at === undefined ? "newest values" : `at ${place}`;
  }

  private tab(id: string, title: string): HTMLElement {
    const button = make(
      "button",
      { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": id },
      title,
    );
    button.addEventListener("click", () => this.openTab(id));
    return button;
  }

  private openTab(chosen: string): void {
    for (const [id] of TABS) {
      byId(id).hidden = id !== chosen;
      byId(`tab-${id}`).setAttribute("aria-selected", String(id === chosen));
    }
    if (chosen === "log") showLogEnd();
  }

  private help(): void {
    byId<HTMLDialogElement>("help").showModal();
  }

  /** Reads so many reports further. */
  private step(by: number): void {
    const places = this.store.chosen?.lines.map((line) => line[this.axis]) ?? [];
    const now =
      this.at === undefined ? places.length - 1 : places.findLastIndex((x) => x <= this.at!);
    const next = Math.max(0, Math.min(places.length - 1, now + by));
    this.read(places[next]);
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const act = this.actionOf(event.key);
    if (!act) return;
    event.preventDefault();
    act();
  }

  private actionOf(key: string): (() => void) | undefined {
    const { store } = this;
    const tab = TABS.find(([, , number]) => number === key);
    if (tab) return () => this.openTab(tab[0]);
    switch (key.length === 1 ? key.toLowerCase() : key) {
      case "ArrowLeft":
        return () => this.step(-1);
      case "ArrowRight":
        return () => this.step(1);
      case "Home":
        return () => this.step(Number.NEGATIVE_INFINITY);
      case "End":
        return () => this.step(Number.POSITIVE_INFINITY);
      case "Escape":
        return () => this.read(undefined);
      case "t":
        return () => this.turnAxis();
      case "n":
        return () => this.chooseNext();
      case "h":
        return () => {
          if (store.chosen) store.chosen.shown = !store.chosen.shown;
          this.draw();
        };
      case "p":
        return () => this.picture.open(store.chosen, 0);
      case "?":
        return () => this.help();
      default:
        return undefined;
    }
  }

  private turnAxis(): void {
    this.axis = this.axis === "iteration" ? "seconds" : "iteration";
    this.at = undefined;
    this.draw();
  }

  private chooseNext(): void {
    const { runs, chosen } = this.store;
    const next = runs[(runs.indexOf(chosen!) + 1) % runs.length];
    if (next) this.store.choose(next);
    this.draw();
  }
}
