/** The suite on scripted workers: a host whose workers list twelve cases and pass them, or do what a test says. */
import type { Host, HostAdapter, HostWorker, WorkerEnd } from "../src/portability/host";
import { Channel } from "../src/portability/hosts/channel";
import type { ListedCase, Reply, Request } from "../src/portability/messages";
import { resumed } from "../src/portability/report/resumed";
import type { Report } from "../src/portability/report/schema";
import { Suite } from "../src/portability/suite";

export const ADAPTER: HostAdapter = {
  ...{ name: "test adapter", kind: "software", backend: "vulkan", driver: "1.0", vendor: "v" },
  ...{ architecture: "a", subgroupSize: null, limits: { maxBufferSize: 1 }, features: ["f"] },
  versions: { bun: "1" },
};
export const PASSING: Reply = { outcome: { worst: 0.5, faults: [] }, seconds: 1 };

export interface Answering {
  reply(r: Reply): void;
  end(e: WorkerEnd): void;
}

/**
 * A host whose n-th worker, from 0, answers what it is asked by `act`, which may throw where it does not start.
 * @param ready what a start waits for
 */
export function hostOf(
  act: (n: number) => (request: Request, worker: Answering) => void,
  ready: Promise<void> = Promise.resolve(),
) {
  let started = 0;
  let open = 0;
  const start = async (): Promise<HostWorker> => {
    const n = started++;
    await ready;
    const answer = act(n);
    let ended = false;
    open++;
    const messages = new Channel<unknown>();
    const { promise: whenEnded, resolve } = Promise.withResolvers<WorkerEnd>();
    const end = (e: WorkerEnd) => {
      if (ended) return;
      ended = true;
      open--;
      resolve(e);
      messages.close();
    };
    return {
      ...{ messages, ended: whenEnded },
      send: (request) => answer(request as Request, { reply: (r) => messages.push(r), end }),
      stop: async () => end({ kind: "killed", detail: "" }),
    };
  };
  const host: Host = { name: "bun", start, adapters: async () => ({ adapters: [ADAPTER] }) };
  return { host, started: () => started, open: () => open };
}

export const listedAs = (row: string, problem: string): ListedCase => {
  return { ...{ id: `${row}/${problem}@20`, row, problem }, patience: 0, apart: true };
};
export const CASES = Array.from({ length: 12 }, (_, i) => listedAs("add", `c${i}`));
export const IDS = CASES.map(({ id }) => id);

/** Lists the cases and passes them; `or` answers in its own way where it returns true. */
export const passing =
  (or: (request: Request, worker: Answering) => boolean = () => false) =>
  (request: Request, worker: Answering) => {
    if (or(request, worker)) return;
    if (request.do === "list") worker.reply({ listed: CASES, skipped: [] });
    else worker.reply(PASSING);
  };

export interface Run {
  readonly workers?: number;
  readonly earlier?: Report;
  readonly signal?: AbortSignal;
  readonly save?: () => void;
}

export async function runOn(
  host: Host,
  { workers = 2, earlier, signal, save = () => {} }: Run = {},
) {
  const chosen = { columns: [{ host, adapter: ADAPTER }], missing: [] };
  const how = { timeout: 3600, jobs: 1, workers, worker: "", pauses: [0.05] };
  const options = { short: false, seed: 20, cases: [], ...how };
  const given = earlier && resumed("r.json", structuredClone(earlier), chosen);
  const suite = new Suite(chosen, options, signal ?? new AbortController().signal, save, given);
  await suite.run();
  return suite.report;
}

export const resultsOf = ({ columns }: Report) => columns[0]!.results;
export const idsOf = (report: Report) => resultsOf(report).map(({ id }) => id);
export const statusesOf = (report: Report) =>
  new Set(resultsOf(report).map(({ status }) => status));
