/** Everything that a key or a button does: declared once, for the tool bars, the keyboard and the help. */
import type { Controls } from "./controls";

export interface Action {
  /** As KeyboardEvent.key has them. */
  readonly keys: readonly string[];
  /** On its button, where it has one. */
  readonly label: string;
  /** In the help, and as the button's tip. */
  readonly help: string;
  readonly bar?: "look" | "edit";
  run(app: Controls): void;
  /** Whether its button is down. */
  pressed?(app: Controls): boolean;
  /** Whether it can be used now. */
  enabled?(app: Controls): boolean;
}

const LOOK: readonly Action[] = [
  {
    ...{ keys: [" "], label: "Flicker", bar: "look" },
    help: "both visits in one place: press again to change between them",
    run: (app) => app.flicker(),
    pressed: ({ view }) => view.flicker !== undefined,
  },
  {
    ...{ keys: ["s", "Escape"], label: "Side by side", bar: "look" },
    help: "both visits side by side; leaves drawing",
    run: (app) => app.sideBySide(),
    pressed: ({ view }) => view.flicker === undefined,
  },
  {
    ...{ keys: ["v"], label: "Planes", bar: "look" },
    help: "three planes, or the axial one alone",
    run: (app) => app.change({ threePlanes: !app.view.threePlanes }),
    pressed: ({ view }) => view.threePlanes,
  },
  {
    ...{ keys: ["d"], label: "Difference", bar: "look" },
    help: "visit 2 minus visit 1: warm is brighter, cold is darker",
    run: (app) => app.change({ difference: !app.view.difference }),
    pressed: ({ view }) => view.difference,
  },
  {
    ...{ keys: ["p"], label: "Probability", bar: "look" },
    help: "the probability map of the network",
    run: (app) => app.change({ probability: !app.view.probability }),
    pressed: ({ view }) => view.probability,
    enabled: (app) => app.hasProbability,
  },
  {
    ...{ keys: ["o"], label: "Outlines", bar: "look" },
    help: "outlines of the lesions",
    run: (app) => app.change({ outlines: !app.view.outlines }),
    pressed: ({ view }) => view.outlines,
  },
  {
    ...{ keys: ["x"], label: "R | L", bar: "look" },
    help: "the patient’s right on the left (radiological) or on the right (neurological)",
    run: (app) => app.change({ radiological: !app.view.radiological }),
    pressed: ({ view }) => view.radiological,
  },
  { keys: ["+", "="], label: "Nearer", help: "nearer", run: (app) => app.zoom(1.3) },
  { keys: ["-"], label: "Farther", help: "farther", run: (app) => app.zoom(1 / 1.3) },
  {
    keys: ["0"],
    label: "Whole",
    help: "the whole head, first grey window",
    run: (app) => app.zoom(0),
  },
  { keys: ["c"], label: "Contrast", help: "more contrast", run: (app) => app.window(0.85, 0) },
  { keys: ["C"], label: "", help: "less contrast", run: (app) => app.window(1 / 0.85, 0) },
  { keys: ["l"], label: "", help: "lighter", run: (app) => app.window(1, 0.1) },
  { keys: ["L"], label: "", help: "darker", run: (app) => app.window(1, -0.1) },
  { keys: ["PageUp", "."], label: "", help: "a slice up", run: (app) => app.step(2, 1) },
  { keys: ["PageDown", ","], label: "", help: "a slice down", run: (app) => app.step(2, -1) },
  {
    keys: ["ArrowLeft"],
    label: "",
    help: "crosshair to the left of the picture",
    run: (app) => app.across(-1),
  },
  {
    keys: ["ArrowRight"],
    label: "",
    help: "crosshair to the right of the picture",
    run: (app) => app.across(1),
  },
  { keys: ["Home"], label: "", help: "crosshair forward", run: (app) => app.step(1, 1) },
  { keys: ["End"], label: "", help: "crosshair back", run: (app) => app.step(1, -1) },
];

const LESIONS: readonly Action[] = [
  { keys: ["ArrowDown", "j"], label: "", help: "next lesion", run: (app) => app.next(1) },
  { keys: ["ArrowUp", "k"], label: "", help: "previous lesion", run: (app) => app.next(-1) },
  {
    keys: ["a"],
    label: "",
    help: "accept the lesion, and on to the next open one",
    run: (app) => app.decide("accepted"),
  },
  {
    keys: ["r"],
    label: "",
    help: "reject the lesion, and on to the next open one",
    run: (app) => app.decide("rejected"),
  },
  { keys: ["u"], label: "", help: "undecided again", run: (app) => app.decide("open") },
  { keys: ["n"], label: "", help: "a note on the lesion", run: (app) => app.focusNote() },
];

const EDIT: readonly Action[] = [
  {
    ...{ keys: ["b"], label: "Draw", bar: "edit" },
    help: "draw: a stroke that touches a lesion belongs to it, any other is a new one",
    run: (app) => app.useTool("draw"),
    pressed: ({ view }) => view.tool === "draw",
  },
  {
    ...{ keys: ["e"], label: "Erase", bar: "edit" },
    help: "erase",
    run: (app) => app.useTool("erase"),
    pressed: ({ view }) => view.tool === "erase",
  },
  {
    ...{ keys: ["["], label: "−", bar: "edit" },
    help: "smaller brush",
    run: (app) => app.brush(1 / 1.4),
  },
  {
    ...{ keys: ["]"], label: "+", bar: "edit" },
    help: "larger brush",
    run: (app) => app.brush(1.4),
  },
  {
    ...{ keys: ["z"], label: "Undo", bar: "edit" },
    help: "take the last step back",
    run: (app) => app.undo(),
    enabled: (app) => app.canUndo,
  },
];

const PAGE: readonly Action[] = [
  {
    keys: ["Enter"],
    label: "",
    help: "done with this patient: on to the next",
    run: (app) => app.finish(),
  },
  { keys: ["w"], label: "", help: "list of patients", run: (app) => app.showWorklist() },
  { keys: ["?"], label: "", help: "this list", run: (app) => app.showHelp() },
];

export const GROUPS = [
  { title: "Pictures", actions: LOOK },
  { title: "Lesions", actions: LESIONS },
  { title: "Corrections", actions: EDIT },
  { title: "Patients", actions: PAGE },
] as const;

export const ACTIONS: readonly Action[] = GROUPS.flatMap(({ actions }) => actions);

/** What can be done where there is nothing to decide or to correct. */
export const isOfPictures = (action: Action): boolean =>
  LOOK.includes(action) || action.keys.includes("?");

/** The action of a key; none while text is written, or for a browser's own shortcuts. */
export function actionOf(event: KeyboardEvent): Action | undefined {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (altKey) return undefined;
  if (ctrlKey || metaKey)
    return key === "z" ? ACTIONS.find(({ keys }) => keys.includes("z")) : undefined;
  if (
    target instanceof HTMLElement &&
    target.closest("input:not([type=range]), textarea, dialog")
  ) {
    return undefined;
  }
  // A button that has the focus keeps the keys by which it is pressed.
  if (target instanceof HTMLButtonElement && (key === " " || key === "Enter")) return undefined;
  if (target instanceof HTMLInputElement && key.startsWith("Arrow")) return undefined;
  return ACTIONS.find(({ keys }) => keys.includes(key));
}

const NAMES: Readonly<Record<string, string>> = {
  " ": "Space",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
};

/** As it is printed on the keyboard. */
export function keyName(key: string): string {
  if (/^[A-Z]$/.test(key)) return `Shift ${key}`;
  return NAMES[key] ?? (/^[a-z]$/.test(key) ? key.toUpperCase() : key);
}
