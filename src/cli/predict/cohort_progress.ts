/** The progress of a cohort: pairs done, the one in work with its windows, time left; a line for each row. */
import type { CohortPair } from "../../cohort/pairs";
import type { CohortObserver } from "../../cohort/run_cohort";
import type { CohortRow } from "../../cohort/table";
import { duration, ProgressLine } from "../../terminal/progress";
import { Rate } from "../../terminal/rate";

export class CohortProgress implements CohortObserver {
  private readonly line = new ProgressLine({});
  private readonly rate = new Rate();
  private begun = 0;
  private now = "";
  private field = "";

  constructor(private readonly total: number) {
    this.rate.add(performance.now() / 1000, 0);
  }

  onPair({ id }: CohortPair): void {
    this.begun++;
    this.now = id;
    this.field = "";
    this.show();
  }

  windows(done: number, total: number): void {
    this.field = `window ${done}/${total}`;
    this.show(total > 0 ? done / total : 0);
  }

  onRow(row: CohortRow): void {
    this.line.note(rowText(row));
  }

  stop(): void {
    this.line.stop();
  }

  /** @param share of the pair in work */
  private show(share = 0): void {
    const done = this.begun - 1 + share;
    this.rate.add(performance.now() / 1000, done);
    const left = this.rate.secondsUntil(this.total);
    const fields = [`pair ${this.begun}/${this.total} ${oneLine(this.now)}`];
    if (this.field !== "") fields.push(this.field);
    if (left !== undefined) fields.push(`${duration(left)} left`);
    this.line.update(done / this.total, fields);
  }
}

/** A folder's name may hold anything, an escape sequence too. */
export const oneLine = (name: string): string => name.replace(/\p{Cc}/gu, "?");

function rowText({
  patient,
  kind,
  newLesion,
  lesions,
  volumeMm3,
  fit,
  problem,
}: CohortRow): string {
  const name = oneLine(patient);
  if (kind === undefined) return `${name}: FAILED: ${problem}`;
  const what = kind === "change" ? "clusters of change" : "lesions";
  const found = `${lesions} ${what}, ${volumeMm3!.toFixed(1)} mm³`;
  const answer = kind === "change" ? "a statistic" : `any new lesion: ${newLesion}`;
  return `${name}: ${answer}, ${found}${fit ? "" : `; ${problem}`}`;
}
