/** Shares the cases of a column among its workers. */
import type { ListedCase } from "./messages";

/**
 * Cases of one problem go to one worker, for they share float64 references and compiled pipelines. A worker
 * that has none left takes the last of the longest queue.
 */
export class Queues {
  private readonly queues: ListedCase[][];

  constructor(cases: readonly ListedCase[], workers: number) {
    this.queues = Array.from({ length: workers }, () => []);
    const turns = new Map<string, number>();
    for (const c of cases) {
      const turn = turns.get(c.problem) ?? turns.size;
      turns.set(c.problem, turn);
      this.queues[turn % workers]!.push(c);
    }
  }

  /** Cases that no worker has. */
  get length(): number {
    return this.queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  giveBack(worker: number, c: ListedCase): void {
    this.queues[worker]!.unshift(c);
  }

  /** The next case for a worker, by its number from 0; undefined where none is left. */
  next(worker: number): ListedCase | undefined {
    const own = this.queues[worker]!.shift();
    if (own) return own;
    return this.queues.reduce((a, b) => (b.length > a.length ? b : a)).pop();
  }
}
