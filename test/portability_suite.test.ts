/** A run of the suite over workers that crash, hang, are interrupted or do not start. */
import { describe, expect, test } from "bun:test";
import { UserError } from "../src/core/errors";
import { MARK } from "../src/portability/hosts/entry/process";
import { WorkerProcess } from "../src/portability/hosts/worker_process";
import type { ListedCase, Reply } from "../src/portability/messages";
import { Queues } from "../src/portability/queues";
import { Column } from "../src/portability/runner";
import {
  ADAPTER,
  type Answering,
  CASES,
  hostOf,
  IDS,
  idsOf,
  listedAs,
  PASSING,
  passing,
  resultsOf,
  runOn,
  statusesOf,
} from "./portability_rig";

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
    let openAtEnd = 0;
    const tries = new Map<string, number>();
    const { host, open } = hostOf(() =>
      passing((request, worker) => {
        if (request.do !== "run") return false;
        const count = (tries.get(request.id) ?? 0) + 1;
        tries.set(request.id, count);
        const [innocent, guilty] = [IDS[3]!, IDS[6]!];
        if (request.id === guilty || (request.id === innocent && count === 1)) {
          worker.reply({ lost: "device lost" });
          return true;
        }
        if (request.id === innocent) openAtEnd = open();
        return false;
      }),
    );
    const report = await runOn(host);
    const of = (id: string) => resultsOf(report).find((r) => r.id === id);
    expect(of(IDS[3]!)).toMatchObject({ status: "passed", beside: "lost" });
    expect(of(IDS[6]!)).toMatchObject({ status: "lost", beside: "lost", alone: "lost" });
    expect(resultsOf(report).filter(({ status }) => status === "passed").length).toBe(11);
    expect(openAtEnd).toBe(1);
    expect(open()).toBe(0);
  });

  test("a case that takes the device away for good is named", async () => {
    for (const workers of [1, 2]) {
      let isAway = false;
      const { host } = hostOf(() => {
        if (isAway) throw new Error("no device");
        return passing((request, worker) => {
          if (request.do !== "run") return false;
          isAway ||= request.id === IDS[2];
          if (!isAway) return false;
          worker.reply({ lost: "device lost" });
          return true;
        });
      });
      const report = await runOn(host, { workers });
      const of = resultsOf(report).find(({ id }) => id === IDS[2]);
      expect(of).toMatchObject({ status: "lost", faults: ["device lost"] });
      expect(report.columns[0]!.complete).toBe(false);
    }
  });

  test("an adapter that is away for a moment, or ends a worker that lists, is waited for", async () => {
    let away = 1;
    const { host } = hostOf((n) => {
      if (n > 0 && away-- > 0) throw new Error("no device");
      return passing((_, worker) => {
        if (n === 0) crash(worker);
        return n === 0;
      });
    });
    const report = await runOn(host);
    expect(idsOf(report)).toEqual(IDS);
    expect(report.columns[0]!.complete).toBe(true);
  });

  test("Ctrl-C does not wait for one that starts, and stops it when it has", async () => {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const { host, open } = hostOf(() => passing(), late);
    const signal = AbortSignal.timeout(20);
    const report = await runOn(host, { signal });
    expect(resultsOf(report)).toEqual([]);
    expect(report.missing).toEqual([]);
    resolve();
    await Bun.sleep(1);
    expect(open()).toBe(0);
  });

  test("one that dies in the middle of a line has crashed", async () => {
    const script = `process.stdout.write("${MARK}1\\n${MARK}[1, 2"); setTimeout(() => process.abort(), 50)`;
    const worker = new WorkerProcess([process.execPath, "-e", script], {});
    const seen: unknown[] = [];
    for await (const message of worker.messages) seen.push(message);
    expect(seen).toEqual([1]);
    expect((await worker.ended).kind).toBe("crash");
    await worker.stop();
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
    const report = await runOn(host, { signal: controller.signal });
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
