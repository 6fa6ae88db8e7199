/** The keys, in a dialogue. */
import { GROUPS, keyName } from "./actions";
import { byId, make } from "./dom";

const MOUSE = [
  ["drag", "crosshair in both visits"],
  ["wheel", "slices"],
  [
    "right drag",
    "grey window: across for contrast, up for lighter; double click for the first one",
  ],
  ["Shift drag", "move the picture"],
  ["finger", "crosshair, or the brush; two fingers zoom"],
] as const;

export function showHelp(): void {
  const dialog = byId<HTMLDialogElement>("help");
  const line = (keys: Node[], text: string) => make("p", {}, make("span", {}, ...keys), text);
  const kbd = (text: string) => make("kbd", {}, text);
  const groups = GROUPS.map(({ title, actions }) =>
    make(
      "section",
      {},
      make("h2", {}, title),
      ...actions.map(({ keys, help }) =>
        line(
          keys.map((key) => kbd(keyName(key))),
          help,
        ),
      ),
    ),
  );
  const mouse = MOUSE.map(([what, text]) => line([kbd(what)], text));
  const close = make("button", { type: "button", class: "primary" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const mouseSection = make("section", {}, make("h2", {}, "Mouse and finger"), ...mouse);
  dialog.replaceChildren(make("div", {}, ...groups, mouseSection), close);
  if (!dialog.open) dialog.showModal();
}
