/** The pair of the page, held in its memory: the viewer's only patient. Nothing is stored anywhere. */
import {
  type OpenedResult,
  type ShownResult,
  type Source,
  shownResult,
} from "../../viewer/page/source";

export class Held implements Source {
  readonly saved = "kept in this page until it is closed";
  readonly finished = "Finished. Download the mask, the report and the decisions before you leave.";
  /** A decision or correction that no download holds yet. */
  unsaved = false;
  private opened: OpenedResult | undefined;

  /** @returns the id by which the viewer opens it */
  hold(opened: OpenedResult): string {
    this.opened = opened;
    this.unsaved = false;
    return "held";
  }

  /** There is no list of patients. */
  async list(): Promise<readonly []> {
    return [];
  }

  async open(): Promise<ShownResult> {
    if (!this.opened) throw new Error("no scans are there yet");
    return shownResult(this.opened);
  }

  /** The viewer's reading is what downloads are made of. */
  async save(): Promise<void> {
    this.unsaved = true;
  }
}
