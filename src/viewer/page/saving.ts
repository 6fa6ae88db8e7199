/** Decisions and mask go to their source shortly after every change, one after the other. */
import type { Mask } from "../../data/volume";
import type { Decisions } from "../../result/decisions";
import type { Source } from "./source";

interface Saved {
  readonly id: string;
  readonly decisions: Decisions;
  readonly corrected: Mask;
}

/** A pause after which a change is saved, ms. */
const PAUSE = 400;
/** After a failure it is tried again. */
const RETRY = 5000;
const SAVING = "saving …";

export class Saving {
  private next: (() => Saved) | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private work: Promise<void> = Promise.resolve();

  /** @param status element that says how it stands */
  constructor(
    private readonly source: Source,
    private readonly status: HTMLElement,
  ) {}

  /** Whether something is not saved yet. */
  get pending(): boolean {
    return this.next !== undefined || this.status.dataset.state === "saving";
  }

  later(make: () => Saved): void {
    this.next = make;
    this.show("saving", SAVING);
    this.plan(PAUSE);
  }

  /** Waits until all is saved. @throws Error where it could not be */
  async done(): Promise<void> {
    clearTimeout(this.timer);
    this.run();
    await this.work;
    if (this.next) throw new Error("the decisions are not saved yet: they are tried again");
  }

  private plan(pause: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), pause);
  }

  private run(): void {
    this.work = this.work.then(async () => {
      const make = this.next;
      if (!make) return;
      this.next = undefined;
      this.show("saving", SAVING);
      try {
        const { id, decisions, corrected } = make();
        await this.source.save(id, decisions, corrected);
        // A change may have come meanwhile.
        if (!this.next) this.show("saved", this.source.saved ?? "saved");
      } catch (error) {
        this.next ??= make;
        this.show("failed", `not saved: ${(error as Error).message}`);
        this.plan(RETRY);
      }
    });
  }

  private show(state: "saving" | "saved" | "failed", text: string): void {
    this.status.dataset.state = state;
    this.status.textContent = text;
  }
}
