/** The page that predicts by itself: from two dropped scans to the viewer and its downloads. */
import "./no_eval";
import "../../live/page/language"; // Before uPlot.

import { messageOf } from "../../core/errors";
import { niftiStem } from "../../data/file_names";
import { App } from "../../viewer/page/app";
import { byId, make } from "../../viewer/page/dom";
import { Reading } from "../../viewer/page/reading";
import { type OpenedResult, shownResult } from "../../viewer/page/source";
import { studyOf } from "../../viewer/page/study";
import { type Download, fileOf, save } from "./downloads";
import { Held } from "./held";
import { Learning, type LearningPage } from "./learning";
import { Predictor } from "./predictor";
import { previewOf } from "./preview";
import type { PairScans, Scans } from "./protocol";
import { RunView } from "./run_view";
import { keepOffline, predictorParts } from "./site";
import { StartView } from "./start_view";

const NO_WEBGPU =
  "This browser offers no WebGPU, so lesions cannot be looked for here; you can still look at both scans.";
const NO_HTTPS =
  "This page came without https, without which browsers offer no WebGPU: lesions cannot be looked for, but you can look at both scans.";
const PREVIEW = "The scans, as their files put them; nothing was looked for yet";

const DOWNLOAD = "Download";
const LABELS: Readonly<Record<Download, string>> = {
  ...{ mask: "Mask", report: "Report", decisions: "Decisions", probability: "Probability" },
};

class Page implements LearningPage {
  private readonly held = new Held();
  private readonly app = new App(this.held);
  private readonly start = new StartView((scans) => void this.attempt(() => this.preview(scans)));
  private readonly run = new RunView({
    find: (patient) => void this.attempt(() => this.find(patient)),
    cancel: () => this.stop(),
    swap: () => void this.attempt(async () => this.swap()),
  });
  private readonly learning = new Learning(this);
  private predictor: Predictor | undefined;
  pair: PairScans | undefined;
  private pairs = 0;
  private opened: OpenedResult | undefined;
  private running: AbortController | undefined;

  async open(): Promise<void> {
    this.app.listen();
    const again = make("button", { id: "new-pair", type: "button" }, "New pair");
    again.addEventListener("click", () => void this.attempt(() => this.toStart()));
    byId("top").prepend(again);
    byId("side").append(this.downloads());
    addEventListener("beforeunload", (event) => {
      if (this.held.unsaved || this.learning.unsaved || this.running) event.preventDefault();
    });
    this.run.allow("Looking for the graphics processor …");
    await this.openPredictor();
  }

  private async openPredictor(): Promise<void> {
    try {
      const parts = await predictorParts();
      this.predictor = new Predictor(parts);
      this.learning.site = parts.weights;
      const opened = await this.predictor.open();
      if ("adapter" in opened) return this.graphics("ready", readyText(opened.adapter));
      this.graphics("none", isSecureContext ? NO_WEBGPU : NO_HTTPS);
      byId("graphics").title = opened.unavailable;
    } catch (error) {
      this.graphics("none", messageOf(error));
    }
  }

  private graphics(state: "ready" | "none", text: string): void {
    byId("graphics").dataset.state = state;
    byId("graphics").textContent = text;
    this.run.allow(state === "ready" ? undefined : text);
  }

  private async preview(scans: Scans): Promise<void> {
    this.pair = { scans, pair: ++this.pairs };
    this.learning.forgetPair();
    const [{ path }] = scans;
    this.run.name = niftiStem(path) ?? path;
    await this.show(previewOf(scans, "Both scans", PREVIEW));
  }

  private async swap(): Promise<void> {
    if (this.pair) await this.preview([this.pair.scans[1], this.pair.scans[0]]);
  }

  private async find(patient: string): Promise<void> {
    const { pair } = this;
    if (!pair) return;
    await this.work(async (predictor, signal) => {
      this.run.begin();
      try {
        const tell = (told: Parameters<RunView["progress"]>[0]) => this.run.progress(told);
        const request = { ...pair, patient, weights: this.learning.weights };
        const result = await predictor.predict(request, tell, signal);
        this.run.rest();
        await this.show(result);
      } catch (error) {
        this.run.rest(signal.aborted ? "" : messageOf(error));
        // A new worker compiles its kernels while the scans are looked at.
        if (signal.aborted) void predictor.open();
      }
    });
  }

  async work(work: (predictor: Predictor, signal: AbortSignal) => Promise<void>): Promise<void> {
    if (!this.predictor || this.running) return;
    this.running = new AbortController();
    try {
      await work(this.predictor, this.running.signal);
    } finally {
      this.running = undefined;
    }
  }

  stop(): void {
    this.running?.abort(new Error("cancelled"));
  }

  kept(): OpenedResult | undefined {
    const { opened } = this;
    const { reading } = this.app;
    if (!opened || opened.preview !== undefined || !reading) return undefined;
    return { ...opened, ...reading.saved() };
  }

  async showAnother(opened: OpenedResult): Promise<void> {
    const { unsaved } = this.held;
    await this.show(opened);
    this.held.unsaved ||= unsaved;
  }

  private async show(opened: OpenedResult): Promise<void> {
    this.opened = opened;
    byId("downloaded").textContent = DOWNLOAD;
    this.start.hide();
    await this.app.showPatient(this.held.hold(opened));
  }

  private async toStart(): Promise<void> {
    if (this.held.unsaved && !confirm("Leave this pair? Its decisions are not downloaded yet."))
      return;
    this.stop();
    await this.app.leave();
    this.opened = this.pair = undefined;
    this.learning.forgetPair();
    this.held.unsaved = false;
    this.start.show();
  }

  private downloads(): HTMLElement {
    const buttons = (Object.keys(LABELS) as Download[]).map((kind) => {
      const button = make("button", { type: "button", "data-download": kind }, LABELS[kind]);
      button.addEventListener("click", () => void this.attempt(() => this.download(kind)));
      return button;
    });
    const heading = make("h2", { id: "downloaded", role: "status" }, DOWNLOAD);
    return make("section", { id: "downloads" }, heading, ...buttons);
  }

  private async download(kind: Download): Promise<void> {
    if (!this.opened) return;
    // Without WebGL 2 the viewer opens nothing, and there is no reading.
    const reading = this.app.reading ?? untouched(this.opened);
    const file = await fileOf(kind, this.opened, reading);
    save(file);
    byId("downloaded").textContent = `Downloaded: ${file.name}`;
    if (kind === "decisions") this.held.unsaved = false;
  }

  /** What fails is said, and the page stays. */
  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      byId("message").textContent = messageOf(error);
      console.error(error);
    }
  }
}

/** A reading in which nothing was decided. */
const untouched = (opened: OpenedResult): Reading =>
  new Reading(
    studyOf(shownResult(opened)),
    () => new Date().toISOString(),
    () => {},
  );

/** From the line about the adapter its first part. */
const readyText = (line: string): string => {
  const [name = line] = line.replace(/^adapter: /, "").split(",");
  return `Ready: computes on ${name}`;
};

keepOffline();
await new Page().open();
