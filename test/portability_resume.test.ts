/** A portability report that is gone on with. */
import { describe, expect, test } from "bun:test";
import type { HostAdapter } from "../src/portability/host";
import { newReport } from "../src/portability/report/new";
import { checkChoice, resumed } from "../src/portability/report/resumed";
import { ADAPTER, hostOf, IDS, idsOf, passing, runOn } from "./portability_rig";

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
    const voxgrad = { ...report.voxgrad, commit: "0000000" };
    // Older reports have one for all columns.
    for (const commits of [["0000000"], undefined]) {
      const old = { ...column!, commits, results: column!.results.slice(1) };
      const earlier = { ...report, voxgrad, columns: [old] };
      const again = await runOn(hostOf(() => passing()).host, { earlier });
      expect(again.columns[0]!.commits).toEqual(["0000000", now!]);
      const nothingNew = { ...earlier, columns: [{ ...old, results: column!.results }] };
      const same = await runOn(hostOf(() => passing()).host, { earlier: nothingNew });
      expect(same.columns[0]!.commits).toEqual(["0000000"]);
    }
  });

  test("keeps its results where no case is listed", async () => {
    const { host } = hostOf(() => (_, worker) => worker.reply({ listed: [], skipped: [] }));
    const report = await runOn(host, { earlier: await whole() });
    expect(idsOf(report)).toEqual(IDS);
    expect(report.missing[0]!.reason).toContain("none of the 12 cases");
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
      [{ limits: { maxBufferSize: 2 } }, "had maxBufferSize 1, here is 2"],
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
    const other = { implementation: "bun", reason: "other: no device" };
    const made = newReport(
      { columns: [], missing: [...missing, other] },
      { short: false, seed: 20, cases: [] },
    );
    // Of a column that this run leaves alone.
    const column = { ...{ seconds: 0, complete: false, skipped: [], results: [] } };
    const adapter = { ...ADAPTER, name: "other", features: [] };
    const report = { ...made, columns: [{ implementation: "bun", adapter, ...column }] };
    const now = [{ implementation: "firefox", reason: "new" }];
    expect(resumed("r.json", report, { ...chosen, missing: now }).missing).toEqual([
      { implementation: "deno", reason: "old" },
      other,
      ...now,
    ]);
  });
});
