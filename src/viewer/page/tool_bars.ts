/** The two tool bars: of the pictures, and of corrections. */
import { ACTIONS, type Action, keyName } from "./actions";
import type { Controls } from "./controls";
import { byId, make } from "./dom";

/** Builds the bars; what it gives shows in them how things stand. */
export function toolBars(app: Controls): () => void {
  const buttons = ACTIONS.flatMap((action) => {
    const { bar, label } = action;
    if (!bar) return [];
    const key = make("kbd", { "aria-hidden": "true" }, keyName(action.keys[0]!));
    const button = make("button", { type: "button", title: tip(action) }, label, key);
    if (label.length === 1) button.setAttribute("aria-label", action.help);
    button.addEventListener("click", () => action.run(app));
    byId(bar).append(button);
    return [{ action, button }];
  });
  const opacity = opacitySlider(app);
  byId("look").append(opacity);
  return () => {
    for (const { action, button } of buttons) {
      if (action.pressed) button.setAttribute("aria-pressed", String(action.pressed(app)));
      button.disabled = action.enabled?.(app) === false;
    }
    const { radiological, tool, radius, difference, probability } = app.view;
    opacity.toggleAttribute("data-idle", !difference && !probability);
    byId("convention").textContent = radiological
      ? "Radiological: the patient’s right is on the left"
      : "Neurological: the patient’s right is on the right";
    byId("brush").textContent =
      tool === "navigate"
        ? ""
        : `${tool === "draw" ? "Drawing" : "Erasing"}: ${(2 * radius).toFixed(1)} mm`;
  };
}

const tip = ({ help, keys }: Action): string => `${help} (${keys.map(keyName).join(", ")})`;

function opacitySlider(app: Controls): HTMLElement {
  const input = make("input", {
    ...{ type: "range", min: "0.1", max: "1", step: "0.05", "aria-label": "Opacity" },
    ...{ value: String(app.view.opacity) },
  });
  input.addEventListener("input", () => app.change({ opacity: Number(input.value) }));
  return make("label", { class: "slider", title: "Opacity" }, make("span", {}, "Opacity"), input);
}
