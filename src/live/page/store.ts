/** All that the page knows of the runs: built of the server's messages, in their order. */
import type { Line, Message, RunInfo, RunPicture, RunState } from "../message";

export interface Run {
  readonly name: string;
  info?: RunInfo;
  state?: RunState;
  pictures: readonly RunPicture[];
  readonly lines: Line[];
  readonly log: string[];
  problem: string;
  /** Whether its curves are drawn. */
  shown: boolean;
}

export class Store {
  runs: Run[] = [];
  /** Place of the run that heading, patients and log are about. */
  private place = 0;

  get chosen(): Run | undefined {
    return this.runs[this.place];
  }

  choose(run: Run): void {
    this.place = Math.max(0, this.runs.indexOf(run));
  }

  get shown(): readonly Run[] {
    return this.runs.filter(({ shown }) => shown);
  }

  take(message: Message): void {
    if (message.kind === "hello") {
      const hidden = new Set(this.runs.filter(({ shown }) => !shown).map(({ name }) => name));
      this.runs = message.runs.map((name) => newRun(name, !hidden.has(name)));
      this.place = Math.min(this.place, Math.max(0, this.runs.length - 1));
      return;
    }
    const run = this.runs[message.run];
    if (!run) return;
    switch (message.kind) {
      case "info":
        run.info = message.info;
        break;
      case "state":
        run.state = message.state;
        break;
      case "pictures":
        run.pictures = message.pictures;
        break;
      case "lines":
        append(run.lines, message);
        break;
      case "log":
        append(run.log, message);
        break;
      case "problem":
        run.problem = message.text;
        break;
      default:
        message satisfies never;
    }
  }
}

const newRun = (name: string, shown: boolean): Run => ({
  ...{ name, shown, pictures: [], lines: [], log: [], problem: "" },
});

function append<T>(to: T[], { reset, lines }: { reset: boolean; lines: readonly T[] }): void {
  if (reset) to.length = 0;
  for (const line of lines) to.push(line);
}
