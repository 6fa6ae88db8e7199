/** The start of the page: two places for scans, to drop on or to choose for. */
import { messageOf } from "../../core/errors";
import { byId } from "../../viewer/page/dom";
import { readDicom } from "./dicom";
import { chosen, type Dropped, droppedBy } from "./dropped";
import type { PageScan, Scans } from "./protocol";
import { readScan } from "./read_scan";

type Slot = 0 | 1;

const FREE = "Drop a file or a folder here, or press to choose";

export class StartView {
  private readonly slots = [...document.querySelectorAll<HTMLElement>("#slots .slot")];
  private readonly scans: [PageScan | undefined, PageScan | undefined] = [undefined, undefined];

  /** @param onScans called when both are read */
  constructor(private readonly onScans: (scans: Scans) => void) {
    for (const i of [0, 1] as const) this.watch(this.slots[i]!, i);
    // A file that misses both places must not replace the page.
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      const { target } = event;
      const inSlot = target instanceof Element && target.closest("#slots .slot");
      if (!inSlot && document.body.hasAttribute("data-start")) void this.takeAll(droppedBy(event));
    });
  }

  private watch(slot: HTMLElement, i: Slot): void {
    const input = slot.querySelector("input")!;
    input.addEventListener("change", () => {
      void this.takeAll(chosen([...(input.files ?? [])]), i);
      input.value = "";
    });
    const over = (is: boolean) => () => slot.toggleAttribute("data-over", is);
    slot.addEventListener("dragenter", over(true));
    slot.addEventListener("dragover", over(true));
    slot.addEventListener("dragleave", over(false));
    slot.addEventListener("drop", (event) => {
      slot.removeAttribute("data-over");
      void this.takeAll(droppedBy(event), i);
    });
  }

  show(): void {
    document.body.setAttribute("data-start", "");
    byId("start").hidden = false;
    this.scans.fill(undefined);
    for (const i of [0, 1] as const) this.fill(i, FREE, false);
  }

  hide(): void {
    document.body.removeAttribute("data-start");
    byId("start").hidden = true;
  }

  private async takeAll(coming: Promise<readonly Dropped[]>, at?: Slot): Promise<void> {
    try {
      this.take(await coming, at);
    } catch (error) {
      this.refuse(messageOf(error));
    }
  }

  /** One scan goes to its place, else to the first that is free; two are visit 1 and 2 by their names. */
  private take(scans: readonly Dropped[], at?: Slot): void {
    this.refuse("");
    const [first, second, ...more] = scans.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    if (more.length > 0) {
      this.refuse(`${scans.length} scans were dropped; expected one for each visit`);
    } else if (first && second) {
      void Promise.all([this.read(first, 0), this.read(second, 1)]);
    } else if (first) void this.read(first, at ?? (this.scans[0] ? 1 : 0));
  }

  private async read({ name, files, isDicom }: Dropped, i: Slot): Promise<void> {
    this.scans[i] = undefined;
    this.fill(
      i,
      isDicom ? `Converting ${name}: ${files.length} files …` : `Reading ${name} …`,
      false,
    );
    try {
      this.scans[i] = isDicom ? await readDicom(name, files) : await readScan(files[0]!);
      this.fill(i, name, true);
    } catch (error) {
      this.fill(i, FREE, false);
      return this.refuse(messageOf(error));
    }
    const [one, two] = this.scans;
    if (one && two) this.onScans([one, two]);
  }

  private fill(i: Slot, text: string, filled: boolean): void {
    const slot = this.slots[i]!;
    slot.querySelector("em")!.textContent = text;
    slot.toggleAttribute("data-filled", filled);
  }

  private refuse(why: string): void {
    byId("start-error").textContent = why;
    // With a table of the series.
    byId("start-error").toggleAttribute("data-table", why.includes("\n"));
  }
}
