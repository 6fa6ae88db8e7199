/** A run of the suite over workers that crash, hang, are interrupted or do not start; and what is resumed. */
import { describe, expect, test } from "bun:test";
import { UserError } from "../src/core/errors";
import type { Host, HostAdapter, HostWorker, WorkerEnd } from "../src/portability/host";
import { Channel } from "../src/portability/hosts/channel";
import type { ListedCase, Reply, Request } from "../src/portability/messages";
import { Queues } from "../src/portability/queues";
import { newReport } from "../src/portability/report/new";
import { checkChoice, resumed } from "../src/portability/report/resumed";
import type { Report } from "../src/portability/report/schema";
import { Column } from "../src/portability/runner";
import { Suite } from "../src/portability/suite";

const ADAPTER: HostAdapter = {
  ...{ name: "test adapter", kind: "software", backend: "vulkan", driver: "1.0", vendor: "v" },
  ...{ architecture: "a", subgroupSize: null, limits: { maxBufferSize: 1 }, features: ["f"] },
  versions: { bun: "1" },
};
const PASSING: Reply = { outcome: { worst: 0.5, faults: [] }, seconds: 1 };

interface Answering {
  reply(r: Reply): void;
  end(e: WorkerEnd): void;
}

/** A host whose n-th worker, from 0, answers what it is asked by `act`, which may throw where it does not start. */
function hostOf(act: (n: number) => (request: Request, worker: Answering) => void) {
  let started = 0;
  const start = async (): Promise<HostWorker> => {
    const answer = act(started++);
    const messages = new Channel<unknown>();
    const { promise: ended, resolve } = Promise.withResolvers<WorkerEnd>();
    const end = (e: WorkerEnd) => {
      resolve(e);
      messages.close();
    };
    return {
      ...{ messages, ended },
      send: (request) => answer(request as Request, { reply: (r) => messages.push(r), end }),
      stop: async () => end({ kind: "killed", detail: "" }),
    };
  };
  const host: Host = { name: "bun", start, adapters: async () => ({ adapters: [ADAPTER] }) };
  return { host, started: () => started };
}

const listedAs = (row: string, problem: string): ListedCase => {
  return { ...{ id: `${row}/${problem}@20`, row, problem }, short: true, patience: 0, apart: true };
};
const CASES = Array.from({ length: 12 }, (_, i) => listedAs("add", `c${i}`));
const IDS = CASES.map(({ id }) => id);

/** Lists the cases and passes them; `or` answers in its own way where it returns true. */
const passing =
  (or: (request: Request, worker: Answering) => boolean = () => false) =>
  (request: Request, worker: Answering) => {
    if (or(request, worker)) return;
    if (request.do === "list") worker.reply({ listed: CASES, skipped: [] });
    else worker.reply(PASSING);
  };

interface Run {
  readonly workers?: number;
  readonly earlier?: Report;
  readonly signal?: AbortSignal;
  readonly save?: () => void;
}

async function runOn(host: Host, { workers = 2, earlier, signal, save = () => {} }: Run = {}) {
  const chosen = { columns: [{ host, adapter: ADAPTER }], missing: [] };
  const options = { short: false, seed: 20, cases: [], timeout: 5, jobs: 1, workers, worker: "" };
  const given = earlier && resumed("r.json", structuredClone(earlier), chosen);
  const suite = new Suite(chosen, options, signal ?? new AbortController().signal, save, given);
  await suite.run();
  return suite.report;
}

const resultsOf = ({ columns }: Report) => columns[0]!.results;
const idsOf = (report: Report) => resultsOf(report).map(({ id }) => id);
const statusesOf = (report: Report) => new Set(resultsOf(report).map(({ status }) => status));

describe("workers", () => {
  const crash = (worker: Answering) => worker.end({ kind: "crash", detail: "SIGSEGV" });

  test("one that does not start leaves its cases to the others", async () => {
    const { host } = hostOf((n) => {
      if (n > 0) throw new Error("VK_ERROR_OUT_OF_DEVICE_MEMORY");
      return passing();
    });
    const report = await runOn(host, { workers: 3 });
    expect(idsOf(report)).toEqual(IDS);
    expect(statusesOf(report)).toEqual(new Set(["passed"]));
    expect(report.columns[0]!.complete).toBe(true);
    expect(report.missing).toEqual([]);
  });

  test("where none starts any more the column is not whole, and is gone on with", async () => {
    for (const workers of [1, 2]) {
      const { host } = hostOf((n) => {
        if (n >= workers) throw new Error("no device");
        return passing((request, worker) => {
          if (request.do !== "run" || !IDS.slice(4).includes(request.id)) return false;
          crash(worker);
          return true;
        });
      });
      const report = await runOn(host, { workers });
      expect(report.columns[0]!.complete).toBe(false);
      expect(report.missing).toEqual([
        { implementation: "bun", reason: "test adapter: no device" },
      ]);
      const again = await runOn(hostOf(() => passing()).host, { workers, earlier: report });
      expect(idsOf(again)).toEqual(IDS);
      expect(again.columns[0]!.complete).toBe(true);
      expect(again.missing).toEqual([]);
    }
  });

  test("a case that ends one beside others runs by itself, with no other device open", async () => {
    let open = 0;
    let mostAtEnd = 0;
    const tries = new Map<string, number>();
    const { host } = hostOf(() => {
      open++;
      return passing((request, worker) => {
        if (request.do !== "run") return false;
        const count = (tries.get(request.id) ?? 0) + 1;
        tries.set(request.id, count);
        const [innocent, guilty] = [IDS[3]!, IDS[6]!];
        if (request.id === guilty || (request.id === innocent && count === 1)) {
          worker.reply({ lost: "device lost" });
          return true;
        }
        if (request.id === innocent) mostAtEnd = open;
        return false;
      });
    });
    const report = await runOn(host);
    const of = (id: string) => resultsOf(report).find((r) => r.id === id);
    expect(of(IDS[3]!)).toMatchObject({ status: "passed", note: "lost beside other workers" });
    expect(of(IDS[6]!)).toMatchObject({ status: "lost", alone: "lost" });
    expect(resultsOf(report).filter(({ status }) => status === "passed").length).toBe(11);
    expect(mostAtEnd).toBeGreaterThan(0);
  });

  test("Ctrl-C ends what they do, is no result, and what is left is gone on with", async () => {
    const controller = new AbortController();
    const { host } = hostOf(() =>
      passing((request) => {
        if (request.do !== "run" || request.id !== IDS[5]) return false;
        setTimeout(() => controller.abort(new Error("Ctrl-C")), 20);
        return true; // no answer
      }),
    );
    const start = performance.now();
    const report = await runOn(host, { signal: controller.signal });
    expect(performance.now() - start).toBeLessThan(4000); // the case itself has longer
    expect(statusesOf(report)).toEqual(new Set(["passed"]));
    expect(report.columns[0]!.complete).toBe(false);
    expect(report.missing).toEqual([]);
    const again = await runOn(hostOf(() => passing()).host, { earlier: report });
    expect(idsOf(again)).toEqual(IDS);
  });

  test("a report that cannot be saved ends the run with that error", async () => {
    const save = () => {
      throw new UserError("report.json: no space left");
    };
    await expect(runOn(hostOf(() => passing()).host, { save })).rejects.toThrow("no space left");
  });
});

describe("a report that is gone on with", () => {
  const whole = () => runOn(hostOf(() => passing()).host);
  const chosenOf = (adapter: HostAdapter) => {
    return { columns: [{ host: hostOf(() => passing()).host, adapter }], missing: [] };
  };

  test("is not complete where its cases cannot be listed, which is told once", async () => {
    const { host } = hostOf(() => {
      throw new Error("no device");
    });
    let report = await whole();
    for (let i = 0; i < 2; i++) report = await runOn(host, { earlier: report });
    expect(report.columns[0]!.complete).toBe(false);
    expect(idsOf(report)).toEqual(IDS);
    expect(report.missing.length).toBe(1);
  });

  test("names the commits that gave results", async () => {
    const report = await whole();
    const [now] = report.columns[0]!.commits!;
    expect(now).toBe(report.voxgrad.commit!);
    const [column] = report.columns;
    const old = { ...column!, commits: ["0000000"], results: column!.results.slice(1) };
    const again = await runOn(hostOf(() => passing()).host, {
      earlier: { ...report, columns: [old] },
    });
    expect(again.columns[0]!.commits).toEqual(["0000000", now!]);
  });

  test("keeps what was chosen when it was begun", async () => {
    const report = await whole();
    expect(() => checkChoice("r.json", report, { short: false, seed: 20 })).not.toThrow();
    for (const given of [{ short: true }, { seed: 5 }, { cases: ["add"] }]) {
      expect(() => checkChoice("r.json", report, given)).toThrow(/^--resume r.json: was begun/);
    }
  });

  test("is that of its environment", async () => {
    const report = await whole();
    const changes: [Partial<HostAdapter>, string][] = [
      [{ versions: { bun: "2" } }, "was run with bun 1, here is 2"],
      [{ versions: { bun: "1", webgpu: "3" } }, "was run with webgpu none, here is 3"],
      [{ features: [] }, "had f, which it has not here"],
      [{ features: ["f", "g"] }, "had no g, which it has here"],
      [{ subgroupSize: { min: 8, max: 8 } }, 'had subgroups of null, here are {"min":8,"max":8}'],
    ];
    for (const [change, text] of changes) {
      const chosen = chosenOf({ ...ADAPTER, ...change });
      expect(() => resumed("r.json", report, chosen), text).toThrow(
        `--resume r.json: bun × test adapter ${text}; begin another file`,
      );
    }
    expect(() => resumed("r.json", report, chosenOf({ ...ADAPTER, driver: "2" }))).not.toThrow();
  });

  test("tells what is missing now", () => {
    const { host } = hostOf(() => passing());
    const chosen = { columns: [{ host, adapter: ADAPTER }], missing: [] };
    const missing = ["bun", "deno", "firefox"].map((implementation) => ({
      implementation,
      reason: "old",
    }));
    const report = newReport({ columns: [], missing }, { short: false, seed: 20, cases: [] });
    const now = [{ implementation: "firefox", reason: "new" }];
    expect(resumed("r.json", report, { ...chosen, missing: now }).missing).toEqual([
      { implementation: "deno", reason: "old" },
      ...now,
    ]);
  });
});

describe("a case that ends its worker", () => {
  const [c] = CASES as [ListedCase];
  const options = { worker: "", timeout: 0.05, startSeconds: 0 };
  /** Each worker by an entry. */
  const scripted = (script: readonly ((worker: Answering) => void)[]) =>
    hostOf((n) => (_, worker) => script[n]!(worker));

  test("is told as a crash, and tried once more alone", async () => {
    const { host, started } = scripted([
      (w) => w.end({ kind: "crash", detail: "SIGSEGV" }),
      (w) => w.reply(PASSING),
    ]);
    const column = new Column(host, ADAPTER, options);
    const result = await column.run(c);
    expect(result).toMatchObject({ status: "crashed", alone: "passed", faults: ["SIGSEGV"] });
    expect((await column.run(c)).status).toBe("passed");
    expect(started()).toBe(2);
  });

  test("or as hung, or as a lost device", async () => {
    const hanging = scripted([() => {}, () => {}]);
    const hung = await new Column(hanging.host, ADAPTER, options).run(c);
    expect(hung).toMatchObject({ status: "hung", alone: "hung" });
    const lost = (w: { reply(r: Reply): void }) => w.reply({ lost: "device lost after x" });
    const losing = scripted([lost, lost]);
    expect(await new Column(losing.host, ADAPTER, options).run(c)).toMatchObject({
      status: "lost",
    });
  });

  test("and what an implementation refuses is no crash", async () => {
    const { host, started } = scripted([(w) => w.reply({ error: "no such thing" })]);
    const result = await new Column(host, ADAPTER, options).run(c);
    expect(result).toMatchObject({ status: "refused", faults: ["no such thing"] });
    expect(started()).toBe(1);
  });
});

describe("queues", () => {
  const cases = ["dx", "dw"].flatMap((row) => ["a", "b", "c"].map((p) => listedAs(row, p)));
  const ids = (found: readonly (ListedCase | undefined)[]) => found.map((c) => c?.id);

  test("the cases of one problem go to one worker", () => {
    const queues = new Queues(cases, 2);
    const first = [0, 0, 0, 0].map((worker) => queues.next(worker));
    expect(ids(first)).toEqual(["dx/a@20", "dx/c@20", "dw/a@20", "dw/c@20"]);
    expect(ids([1, 1].map((worker) => queues.next(worker)))).toEqual(["dx/b@20", "dw/b@20"]);
  });

  test("a worker without cases takes the last of the longest queue; each is run once", () => {
    const queues = new Queues(cases, 3);
    const order = [0, 0, 0, 1, 2, 2, 1];
    expect(ids(order.map((worker) => queues.next(worker)))).toEqual([
      ...["dx/a@20", "dw/a@20", "dw/b@20", "dx/b@20", "dx/c@20", "dw/c@20"],
      undefined,
    ]);
  });
});
