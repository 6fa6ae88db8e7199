/** The line above the pictures, and the canvases below it, of one patient. */
import { answerAlone } from "../../result/answer_text";
import { byId } from "./dom";
import type { Study } from "./study";

/** @param report address of the report, where there is one */
export function showHeading(
  { record, preview }: Pick<Study, "record" | "preview">,
  isOneOfMany: boolean,
  report?: string,
): void {
  const { quality, visits, patient } = record;
  const answer = preview ?? answerAlone(record);
  byId("patient").textContent = patient;
  byId("answer").textContent = answer;
  byId("answer").title = answer;
  byId("doubt").hidden = quality.fit;
  byId("doubt").textContent = quality.fit ? "" : (quality.lines[0] ?? "");
  byId("finish").hidden = preview !== undefined;
  byId("report").hidden = report === undefined;
  if (report !== undefined) byId<HTMLAnchorElement>("report").href = report;
  byId("patients").hidden = !isOneOfMany;
  document.title = `${patient} – voxgrad`;
  visits.forEach(({ date, name }, i) => {
    const caption = byId(`visit${i + 1}`).querySelector("figcaption")!;
    caption.textContent = `Visit ${i + 1} · ${date ?? name}`;
  });
}

export function hideHeading(): void {
  byId("patient").textContent = "Patients";
  document.title = "voxgrad";
  for (const id of ["answer", "doubt"]) byId(id).textContent = "";
  for (const id of ["finish", "report", "patients", "doubt"]) byId(id).hidden = true;
}

/** NiiVue does not give a canvas back: every patient has new ones. */
export function freshCanvases(
  watch: (canvas: HTMLCanvasElement, i: 0 | 1) => void,
): [HTMLCanvasElement, HTMLCanvasElement] {
  const fresh = ([0, 1] as const).map((i) => {
    const figure = byId(`visit${i + 1}`);
    figure.querySelector(".marks")?.remove();
    const old = figure.querySelector("canvas")!;
    const canvas = old.cloneNode() as HTMLCanvasElement;
    old.replaceWith(canvas);
    watch(canvas, i);
    return canvas;
  });
  return [fresh[0]!, fresh[1]!];
}
