/** The panel beside the scans: begins a prediction, shows how far it is, cancels it. */
import { Rate } from "../../terminal/rate";
import { button, byId, make } from "../../viewer/page/dom";
import type { Progress } from "./predictor";

export interface RunActions {
  find(patient: string): void;
  cancel(): void;
  swap(): void;
}

/** The stage that comes after each that ends. */
const AFTER: Readonly<Record<string, string>> = {
  registration: "Preparing the volumes",
  "mean and deviation": "Preparing the volumes",
  volumes: "Leaving out empty windows",
  "constant windows": "Compiling the network, first windows",
  "compiling, first windows": "Looking for lesions",
  mean: "Putting the map back on visit 1",
  "mapping back": "Outlining lesions",
};
/** What comes after a stage of the prediction. */
export const stageAfter = (ended: string): string | undefined => AFTER[ended];
const FIRST = "Finding the brain, putting the visits on each other";

export class RunView {
  private readonly stage = make("p", { id: "run-stage", role: "status" });
  private readonly count = make("p", { id: "run-count" });
  private readonly bar = make("progress", { max: "1", "aria-label": "Windows done" });
  private readonly error = make("p", { id: "run-error", role: "alert" });
  private readonly patient = make("input", {
    ...{ id: "run-patient", maxlength: "80", autocomplete: "off", spellcheck: "false" },
  });
  private readonly find = button("find", "Find new lesions", "primary");
  private readonly swap = button("swap", "Swap the visits");
  private readonly cancel = button("cancel", "Cancel");
  private rate = new Rate();

  constructor(actions: RunActions) {
    const label = make("label", {}, "Patient, as it stands in the report", this.patient);
    const panel = make("section", { id: "run", "aria-label": "Prediction" });
    panel.append(
      label,
      this.find,
      this.swap,
      this.stage,
      this.bar,
      this.count,
      this.cancel,
      this.error,
    );
    byId("side").append(panel);
    this.find.addEventListener("click", () => actions.find(this.patient.value.trim() || "patient"));
    this.swap.addEventListener("click", () => actions.swap());
    this.cancel.addEventListener("click", () => actions.cancel());
    this.rest();
  }

  set name(patient: string) {
    this.patient.value = patient;
  }

  /** @param why nothing can be predicted, where it cannot */
  allow(why: string | undefined): void {
    this.find.disabled = why !== undefined;
    this.tell(why ?? "");
  }

  begin(): void {
    this.rate = new Rate();
    this.bar.removeAttribute("value");
    this.stage.textContent = FIRST;
    this.count.textContent = "";
    this.error.textContent = "";
    this.show(true);
  }

  /** @param error why it ended without an answer, where it did */
  rest(error = ""): void {
    this.tell("");
    this.error.textContent = error;
    this.show(false);
  }

  progress(told: Progress): void {
    if (told.told === "stage") {
      const next = AFTER[told.ended];
      if (next !== undefined) this.tell(next);
      if (told.ended === "mean") this.bar.removeAttribute("value");
    } else if (told.told === "windows") this.windows(told.done, told.total);
  }

  private windows(done: number, total: number): void {
    this.rate.add(performance.now() / 1000, done);
    this.bar.value = total === 0 ? 1 : done / total;
    const left = this.rate.secondsUntil(total);
    const time = left === undefined ? "" : `, ${timeText(left)} left`;
    this.count.textContent = `window ${done} of ${total}${time}`;
  }

  private tell(text: string): void {
    this.stage.textContent = text;
  }

  private show(running: boolean): void {
    for (const idle of [this.find, this.swap]) idle.hidden = running;
    this.patient.disabled = running;
    for (const busy of [this.bar, this.count, this.cancel]) busy.hidden = !running;
  }
}

const timeText = (seconds: number): string => {
  if (seconds < 10) return "a few seconds";
  if (seconds < 55) return `about ${10 * Math.ceil(seconds / 10)} s`;
  return `about ${Math.ceil(seconds / 60)} min`;
};
