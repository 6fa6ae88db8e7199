/** The list of lesions: jump, accept, reject, a note. */

import { voxelVolume } from "../../data/affine";
import { certaintyText, placeText, volumeText } from "../../result/answer_text";
import type { Controls } from "./controls";
import { byId, make } from "./dom";
import type { LesionState, Reading } from "./reading";

/** Shows all lesions as they stand; the focus stays where it was. */
export function showLesions(app: Controls, reading: Reading, selected: number | undefined): void {
  const list = byId("lesions");
  const focused = document.activeElement?.getAttribute("data-focus");
  const rows = reading
    .listed()
    .map((lesion) => rowOf(app, reading, lesion, lesion.id === selected));
  if (rows.length === 0) {
    rows.push(
      make("li", { class: "none" }, "No lesion is outlined. Draw one (B) where one is missing."),
    );
  }
  list.replaceChildren(...rows);
  if (focused) list.querySelector<HTMLElement>(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  list.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

function rowOf(
  app: Controls,
  reading: Reading,
  lesion: LesionState,
  isSelected: boolean,
): HTMLElement {
  const { id, decision, note } = lesion;
  const jump = make(
    "button",
    { type: "button", class: "jump", "data-focus": `jump${id}` },
    make("span", { class: "number" }, String(id)),
    make(
      "span",
      { class: "facts" },
      make("span", { class: "volume" }, factsOf(reading, lesion)),
      make(
        "span",
        { class: "place" },
        lesion.found ? placeText(lesion.found) : "drawn by the reader",
      ),
    ),
  );
  jump.addEventListener("click", () => app.select(id));
  const choice = (value: "accepted" | "rejected", sign: string, verb: string) => {
    const button = make(
      "button",
      {
        ...{ type: "button", class: value, "data-focus": `${value}${id}`, title: verb },
        ...{ "aria-label": `${verb} lesion ${id}`, "aria-pressed": String(decision === value) },
      },
      sign,
    );
    button.addEventListener("click", () => app.decideOn(id, decision === value ? "open" : value));
    return button;
  };
  const row = make(
    "li",
    { class: decision, "aria-current": String(isSelected) },
    jump,
    choice("accepted", "✓", "Accept"),
    choice("rejected", "✕", "Reject"),
  );
  if (isSelected || note !== "") row.append(noteField(reading, lesion, isSelected));
  return row;
}

function factsOf(reading: Reading, { voxels, found }: LesionState): string {
  if (voxels === 0) return "erased";
  const volume = volumeText(voxels * voxelVolume(reading.study.grid.affine));
  const certainty = found ? certaintyText(found) : "";
  const isScore = found?.probability !== undefined && !reading.study.record.calibrated;
  const isProbability = found?.probability !== undefined && !isScore;
  const word = isScore ? "score " : isProbability ? "p " : "";
  return certainty === "" ? volume : `${volume} · ${word}${certainty}`;
}

function noteField(reading: Reading, { id, note }: LesionState, isSelected: boolean): HTMLElement {
  const input = make("input", {
    ...{ type: "text", class: "note", maxlength: "400", placeholder: "Note (N)", value: note },
    ...{
      "aria-label": `Note on lesion ${id}`,
      "data-focus": `note${id}`,
      "data-selected": isSelected,
    },
  });
  input.addEventListener("change", () => reading.note(id, input.value));
  input.addEventListener("keydown", ({ key }) => {
    if (key === "Enter" || key === "Escape") input.blur();
  });
  return input;
}
