/** The settings of the runs, differences first. */
import { byId, make } from "../../viewer/page/dom";
import { settingTable } from "../setting_table";
import type { Store } from "./store";

/** Pixels of a column. */
const [OPTION, VALUE] = [132, 74];
let shown = "";
/** Whether the settings that all runs share are listed too. */
let all = true;

export function showSettings(store: Store): void {
  const runs = store.runs.flatMap(({ name, info }) => (info ? [{ ...info, name }] : []));
  const now = JSON.stringify([runs.map(({ name, settings }) => [name, settings]), all]);
  if (now === shown) return;
  shown = now;
  const rows = settingTable(runs);
  const different = rows.filter(({ differs }) => differs);
  const head = make(
    "tr",
    {},
    make("th", {}),
    ...runs.map(({ name }) => make("th", { title: name }, name)),
  );
  const body = (all || runs.length < 2 ? rows : different).map(({ option, values, differs }) =>
    make(
      "tr",
      differs ? { class: "differs" } : {},
      make("td", {}, option),
      ...values.map((value) => make("td", { title: value }, value)),
    ),
  );
  const table = make(
    "table",
    {},
    ...(runs.length > 1 ? [make("thead", {}, head)] : []),
    make("tbody", {}, ...body),
  );
  // More columns than fit are scrolled to.
  table.style.minWidth = `${OPTION + runs.length * VALUE}px`;
  byId("settings").replaceChildren(
    ...(runs.length > 1 ? [headOf(different.length, store)] : []),
    table,
  );
}

function headOf(count: number, store: Store): HTMLElement {
  const text = all ? `Show differences only (${count})` : "Show all settings";
  const button = make("button", { type: "button", id: "only-differences" }, text);
  button.addEventListener("click", () => {
    all = !all;
    showSettings(store);
    document.getElementById("only-differences")?.focus();
  });
  return button;
}
