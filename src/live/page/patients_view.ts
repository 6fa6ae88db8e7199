/** The validation patients of a run: their scores at the last validation, and their pictures. */
import { byId, make } from "../../viewer/page/dom";
import type { Run } from "./store";
import { score } from "./text";

let shown = "";

/** @param open shows a picture large */
export function showPatients(run: Run | undefined, open: (place: number) => void): void {
  const last = run?.lines.findLast(({ perPatient }) => perPatient !== undefined);
  // Pictures that stay are not loaded anew, and the list keeps its place.
  const now = JSON.stringify([run?.name, last, run?.pictures, run?.info?.validates]);
  if (now === shown) return;
  shown = now;
  const panel = byId("patients");
  if (!run || (run.info?.validates.length ?? 0) === 0) {
    panel.replaceChildren(make("p", { class: "none" }, "No patient validates."));
    return;
  }
  const pictures = run.pictures.map(({ patient, address, viewer }, i) => {
    const image = make("img", { src: address, alt: `${patient}: both visits, truth, prediction` });
    const button = make("button", { type: "button", "aria-label": `${patient}, large` }, image);
    button.addEventListener("click", () => open(i));
    return make("li", {}, button, ...viewerLink(viewer, patient));
  });
  panel.replaceChildren(
    make("h2", {}, last ? `At iteration ${last.iteration}` : "Not validated yet"),
    ...(last ? [tableOf(run, last)] : []),
    make("ol", { "aria-label": "Pictures" }, ...pictures),
  );
}

/** Opens beside this page. */
function viewerLink(viewer: string | undefined, patient: string): HTMLElement[] {
  if (viewer === undefined) return [];
  const attributes = { href: viewer, target: "_blank", rel: "noopener", class: "button" };
  return [make("a", attributes, `${patient} in the viewer`)];
}

function tableOf(run: Run, last: Run["lines"][number]): HTMLElement {
  const { perPatient, lesionF1PerPatient: f1 } = last;
  const cells = (...texts: readonly string[]) => texts.map((text) => make("td", {}, text));
  const rows = (run.info?.validates ?? []).map((id) =>
    make(
      "tr",
      {},
      ...cells(id, score(perPatient?.momentum[id]), score(perPatient?.student[id])),
      ...cells(score(f1?.momentum[id]), score(f1?.student[id])),
    ),
  );
  const titles = ["patient", "Dice w̄", "w", "F1 w̄", "w"];
  const head = make("tr", {}, ...titles.map((text) => make("th", { scope: "col" }, text)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

/** A dialog with one picture of the run; the arrow keys go to its neighbours. */
export class PictureDialog {
  private readonly dialog = byId<HTMLDialogElement>("picture");
  private place = 0;
  private run: Run | undefined;

  constructor() {
    this.dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.show(this.place + step);
    });
  }

  get isOpen(): boolean {
    return this.dialog.open;
  }

  open(run: Run | undefined, place: number): void {
    this.run = run;
    if (this.run && this.run.pictures.length > 0) {
      this.show(place);
      if (!this.dialog.open) this.dialog.showModal();
    }
  }

  private show(place: number): void {
    const pictures = this.run?.pictures ?? [];
    this.place = (place + pictures.length) % pictures.length;
    const { patient, address, viewer } = pictures[this.place]!;
    const button = (text: string, label: string, act: () => void) => {
      const made = make("button", { type: "button", "aria-label": label }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.dialog.replaceChildren(
      make("img", { src: address, alt: `${patient}: both visits, truth, prediction` }),
      make(
        "div",
        {},
        button("←", "Previous patient", () => this.show(this.place - 1)),
        make("span", {}, `${patient} · ${this.place + 1} of ${pictures.length}`),
        ...viewerLink(viewer, patient),
        button("→", "Next patient", () => this.show(this.place + 1)),
        button("Close", "Close", () => this.dialog.close()),
      ),
    );
  }
}
