/** The page as keys, buttons and lists see it. */
import type { Decision } from "../../result/decisions";
import type { Tool, View } from "./view_state";

export interface Controls {
  readonly view: View;
  readonly canUndo: boolean;
  readonly hasProbability: boolean;
  change(part: Partial<View>): void;
  /** Both visits in one place; where they are already, the other one. */
  flicker(): void;
  sideBySide(): void;
  /** Nearer by a factor; 0: the whole, with the first grey window. */
  zoom(factor: number): void;
  /** Of the grey window: contrast by a factor, brightness in parts of it. */
  window(contrast: number, brightness: number): void;
  /** Moves the crosshair along an axis of the patient: right, anterior, superior. */
  step(axis: 0 | 1 | 2, by: number): void;
  /** Moves it to the right of the picture. */
  across(by: number): void;
  /** To a lesion, by its id; to the next or the one before. */
  select(id: number): void;
  next(by: 1 | -1): void;
  /** On the selected lesion, and on to the next open one. */
  decide(decision: Decision): void;
  decideOn(id: number, decision: Decision): void;
  focusNote(): void;
  useTool(tool: Tool): void;
  brush(factor: number): void;
  undo(): void;
  finish(): void;
  showWorklist(): void;
  showHelp(): void;
}
