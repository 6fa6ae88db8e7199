/** The page: one patient at a time, the state of its view, and what every action does. */
import { messageOf } from "../../core/errors";
import type { Decision } from "../../result/decisions";
import { actionOf, isOfPictures } from "./actions";
import type { Controls } from "./controls";
import { byId } from "./dom";
import { freshCanvases, hideHeading, showHeading } from "./heading";
import { showHelp } from "./help_view";
import { showLesions } from "./lesion_list";
import { placeIn } from "./lesion_voxel";
import { closeViews, openViews, Panels } from "./panels";
import { type PointerHost, watchPointer } from "./pointer";
import { Reading } from "./reading";
import { Saving } from "./saving";
import type { PatientEntry, Source } from "./source";
import { studyOf } from "./study";
import { toolBars } from "./tool_bars";
import { FIRST_VIEW, RADII, type Tool, type View } from "./view_state";
import { showPatients } from "./worklist_view";

interface Open {
  readonly id: string;
  readonly reading: Reading;
  readonly panels: Panels;
  selected?: number;
}

export class App implements Controls {
  view = FIRST_VIEW;
  private open: Open | undefined;
  private entries: readonly PatientEntry[] = [];
  private showBars = () => {};
  private going = false;
  private readonly saving: Saving;

  constructor(private readonly source: Source) {
    this.saving = new Saving(source, byId("saved"));
  }

  async start(): Promise<void> {
    this.listen();
    await this.go(async () => {
      this.entries = await this.source.list();
      const [first] = this.entries;
      if (this.entries.length === 1 && first) await this.openPatient(first.id);
      else await this.toWorklist();
    });
  }

  /** Keys and buttons; no patient yet. */
  listen(): void {
    this.showBars = toolBars(this);
    document.addEventListener("keydown", (event) => this.key(event), { capture: true });
    byId("finish").addEventListener("click", () => this.finish());
    byId("patients").addEventListener("click", () => this.showWorklist());
    byId("show-help").addEventListener("click", () => this.showHelp());
    byId<HTMLInputElement>("reader").addEventListener("change", ({ target }) => {
      this.open?.reading.setReader((target as HTMLInputElement).value.trim());
    });
    addEventListener("beforeunload", (event) => {
      if (this.saving.pending) event.preventDefault();
    });
  }

  /** Opens a patient, whether or not it is in the list. */
  showPatient(id: string): Promise<void> {
    return this.go(() => this.openPatient(id));
  }

  /** Leaves the patient that is open, once what was decided is saved. */
  async leave(): Promise<void> {
    await this.saving.done();
    this.close();
    byId("reading").hidden = true;
    hideHeading();
  }

  /** Of the patient that is open. */
  get reading(): Reading | undefined {
    return this.open?.reading;
  }

  /** Opens a patient in place of the one that is open. */
  private async openPatient(id: string): Promise<void> {
    await this.saving.done();
    this.close();
    this.tell("Loading …");
    const canvases = freshCanvases((canvas, i) =>
      watchPointer(canvas, i, () => this.pointerHost()),
    );
    // Shaders are compiled while the result is read.
    const opening = openViews(canvases);
    opening.catch(() => {}); // Told of where the pictures are awaited.
    const study = await this.source
      .open(id)
      .then(studyOf)
      .catch((error) => {
        opening.then(closeViews, () => {});
        throw error;
      });
    const reader = byId<HTMLInputElement>("reader");
    const reading: Reading = new Reading(
      study,
      () => new Date().toISOString(),
      () => this.changed(),
    );
    byId("worklist").hidden = true;
    byId("reading").hidden = false;
    document.body.toggleAttribute("data-preview", study.preview !== undefined);
    // Also where the browser draws no pictures.
    showHeading(study, this.entries.length > 1, this.source.reportAddress?.(id));
    const panels = await Panels.open(reading, await opening);
    this.open = { id, reading, panels };
    if (reading.reader === "") reading.reader = reader.value.trim();
    reader.value = reading.reader;
    this.view = { ...FIRST_VIEW, radiological: this.view.radiological };
    this.tell("");
    // The button that was pressed for it is hidden, and keeps keys until the browser next draws.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    const [lesion] = reading.listed();
    if (!lesion) {
      panels.moveTo(middleOf(study.grid.size));
      this.list();
    } else this.select(lesion.id);
    this.show(FIRST_VIEW);
  }

  showWorklist(): void {
    void this.go(() => this.toWorklist());
  }

  private async toWorklist(): Promise<void> {
    await this.saving.done();
    this.entries = await this.source.list();
    if (this.entries.length === 0 || (this.entries.length < 2 && this.open)) return;
    this.close();
    byId("reading").hidden = true;
    byId("worklist").hidden = false;
    hideHeading();
    showPatients(this.entries, (id) => void this.go(() => this.openPatient(id)));
  }

  showHelp(): void {
    showHelp();
  }

  change(part: Partial<View>): void {
    const before = this.view;
    this.view = { ...before, ...part };
    this.show(before);
  }

  flicker(): void {
    this.change({ flicker: this.view.flicker === 0 ? 1 : 0 });
  }

  sideBySide(): void {
    this.change({ flicker: undefined, tool: "navigate" });
  }

  zoom(factor: number): void {
    this.open?.panels.zoom(factor);
    if (factor === 0) this.open?.panels.windows.reset();
  }

  window(contrast: number, brightness: number): void {
    const windows = this.open?.panels.windows;
    if (contrast !== 1) windows?.contrast(contrast);
    if (brightness !== 0) windows?.brighten(brightness);
  }

  step(axis: 0 | 1 | 2, by: number): void {
    if (!this.open) return;
    const [x, y, z] = this.open.panels.voxel;
    const at = [x, y, z] as [number, number, number];
    at[axis] += by;
    this.open.panels.moveTo(at);
  }

  across(by: number): void {
    this.step(0, this.view.radiological ? -by : by);
  }

  select(id: number): void {
    if (!this.open) return;
    this.open.selected = id;
    const at = placeIn(this.open.reading, id);
    if (at) this.open.panels.moveTo(at);
    this.list();
  }

  next(by: 1 | -1): void {
    if (!this.open) return;
    const ids = this.open.reading.listed().map(({ id }) => id);
    const at = ids.indexOf(this.open.selected ?? -1);
    const id = ids[(at + by + ids.length) % ids.length];
    if (id !== undefined) this.select(id);
  }

  decide(decision: Decision): void {
    const { selected, reading } = this.open ?? {};
    if (!reading || selected === undefined) return;
    this.decideOn(selected, decision);
    const [open] = decision === "open" ? [] : reading.open();
    if (open) this.select(open.id);
  }

  decideOn(id: number, decision: Decision): void {
    if (!this.open) return;
    this.open.selected = id;
    this.open.reading.decide(id, decision);
    this.open.panels.refresh();
  }

  focusNote(): void {
    document.querySelector<HTMLElement>("#lesions [data-selected]")?.focus();
  }

  useTool(tool: Tool): void {
    this.change({ tool: this.view.tool === tool ? "navigate" : tool });
  }

  brush(factor: number): void {
    const radius = Math.min(RADII[1], Math.max(RADII[0], this.view.radius * factor));
    this.change({ radius });
  }

  undo(): void {
    if (!this.open?.reading.undo()) return;
    this.open.panels.refresh();
    this.list();
  }

  get canUndo(): boolean {
    return this.open?.reading.canUndo ?? false;
  }

  get hasProbability(): boolean {
    return this.open?.reading.study.probability !== undefined;
  }

  /** Done with the patient where nothing is undecided; else to what is. */
  finish(): void {
    const { open } = this;
    if (!open) return;
    if (!open.reading.finish()) {
      const [first, ...others] = open.reading.open();
      this.select(first!.id);
      this.tell(
        others.length === 0
          ? "One lesion is undecided"
          : `${others.length + 1} lesions are undecided`,
      );
      return;
    }
    void this.go(async () => {
      await this.saving.done();
      this.entries = await this.source.list();
      const at = this.entries.findIndex(({ id }) => id === open.id);
      const later = [...this.entries.slice(at + 1), ...this.entries.slice(0, at)];
      const next = later.find(({ state }) => state === "new" || state === "begun");
      if (next) await this.openPatient(next.id);
      else if (this.entries.length > 1) await this.toWorklist();
      else this.tell(this.source.finished ?? "Finished and saved. You can close this page.");
    });
  }

  private key(event: KeyboardEvent): void {
    const action = actionOf(event);
    const isOnPicture = event.target instanceof HTMLCanvasElement;
    // NiiVue has keys of its own.
    if (isOnPicture) event.stopPropagation();
    if (!action || (!this.open && !["w", "?"].includes(action.keys[0]!))) return;
    if (this.reading?.study.preview !== undefined && !isOfPictures(action)) return;
    event.preventDefault();
    if (action.enabled?.(this) !== false) action.run(this);
  }

  private changed(): void {
    const { open } = this;
    if (!open) return;
    this.tell("");
    this.list();
    this.saving.later(() => ({ id: open.id, ...open.reading.saved() }));
  }

  private show(before: View): void {
    const { view, open } = this;
    if (!open) return;
    const { panels } = open;
    if (view.threePlanes !== before.threePlanes) panels.showPlanes(view.threePlanes);
    if (view.radiological !== before.radiological) panels.setRadiological(view.radiological);
    if (view.outlines !== before.outlines) panels.showOutlines(view.outlines);
    for (const overlay of ["difference", "probability"] as const) {
      const turned = view[overlay] !== before[overlay];
      if (turned || (view[overlay] && view.opacity !== before.opacity)) {
        void this.attempt(() => panels.showOverlay(overlay, view[overlay] ? view.opacity : 0));
      }
    }
    const pictures = byId("pictures");
    pictures.dataset.flicker = view.flicker === undefined ? "" : String(view.flicker + 1);
    pictures.dataset.tool = view.tool;
    this.showBars();
  }

  private list(): void {
    if (this.open) showLesions(this, this.open.reading, this.open.selected);
    this.showBars();
  }

  private pointerHost(): PointerHost | undefined {
    const { open, view } = this;
    if (!open) return undefined;
    const { panels, reading, selected } = open;
    const painted = (ended: boolean) => {
      panels.refresh();
      if (ended) this.list();
    };
    return { panels, reading, selected, tool: view.tool, radius: view.radius, painted };
  }

  private close(): void {
    this.open?.panels.close();
    this.open = undefined;
  }

  private tell(text: string): void {
    byId("message").textContent = text;
  }

  /** From patient to patient or to the list, one way at a time. */
  private async go(way: () => Promise<void>): Promise<void> {
    if (this.going) return;
    this.going = true;
    await this.attempt(way);
    this.going = false;
  }

  /** What fails is said, and the page stays. */
  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.tell(messageOf(error));
      console.error(error);
    }
  }
}

const middleOf = (size: readonly number[]): [number, number, number] => [
  Math.floor(size[0]! / 2),
  Math.floor(size[1]! / 2),
  Math.floor(size[2]! / 2),
];
