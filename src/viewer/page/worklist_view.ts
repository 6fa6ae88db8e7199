/** The list of patients: what is done, what is open. */
import { byId, make } from "./dom";
import type { PatientEntry } from "./source";

const STATES: Readonly<Record<PatientEntry["state"], string>> = {
  new: "to read",
  begun: "begun",
  done: "done",
  unusable: "cannot be opened",
};

export function showPatients(entries: readonly PatientEntry[], open: (id: string) => void): void {
  const left = entries.filter(({ state }) => state === "new" || state === "begun").length;
  const rows = entries.map((entry) => {
    const button = make(
      "button",
      { type: "button", class: entry.state, disabled: entry.state === "unusable" },
      make("span", { class: "state" }, STATES[entry.state]),
      make("span", { class: "name" }, entry.patient),
      make("span", { class: "answer" }, entry.answer),
    );
    button.addEventListener("click", () => open(entry.id));
    return make("li", {}, button);
  });
  const title = `${entries.length} patients, ${left} to read`;
  byId("worklist").replaceChildren(make("h2", {}, title), make("ol", {}, ...rows));
  byId("worklist").querySelector<HTMLElement>("button.new, button.begun, button")?.focus();
}
