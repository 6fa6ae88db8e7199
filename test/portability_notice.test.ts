/** Planted defects: a case notices one, or does not count. */
import { expect, test } from "bun:test";
import type { ListedCase, Reply, Request } from "../src/portability/messages";
import { type Asked, searchNotice } from "../src/portability/notice";
import { WorkerLost } from "../src/portability/runner";

const MUTANT = { kernel: "fill", from: "a", to: "b" };
const caseOf = (id: string): ListedCase => {
  return { id, row: id, patience: 0, problem: id, apart: false };
};
const replied = (faults: readonly string[]): Reply => {
  return { outcome: { worst: 2, faults }, seconds: 0 };
};

/** Answers by case and by whether the defect is there; records what was asked. */
function asked(answer: (id: string, planted: boolean) => Reply): Asked & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    async ask(request: Request) {
      if (request.do !== "run") throw new Error(request.do);
      const planted = request.mutant !== undefined;
      log.push(`${request.id}${planted ? " planted" : ""}`);
      return answer(request.id, planted);
    },
  };
}

test("a case notices a defect where it is wrong with it and right without", async () => {
  const column = asked((id, planted) => replied(id === "b" && planted ? ["off"] : []));
  const found = await searchNotice(column, ["a", "b", "c"].map(caseOf), MUTANT);
  expect(found).toEqual({ notice: { id: "b", how: "2e+0 × bound" }, tried: 2, doubtful: [] });
  expect(column.log).toEqual(["a planted", "b planted", "b"]);
});

test("a case that takes too long notices nothing, and the next one is asked", async () => {
  const column = asked((id, planted) => {
    if (id === "slow") throw new WorkerLost("hung", "no answer in 60 s");
    return replied(planted ? ["word 3 of 4 was written"] : []);
  });
  const found = await searchNotice(column, ["slow", "b"].map(caseOf), MUTANT);
  expect(found.notice).toEqual({ id: "b", how: "stray write" });
  expect(found.doubtful).toEqual(["slow: no answer in time"]);
});

test("a case that is wrong without the defect too is no witness, also where it ends its worker", async () => {
  const column = asked((id) => {
    if (id === "crash") throw new WorkerLost("crashed", "signal 11");
    return replied(["off"]);
  });
  const found = await searchNotice(column, ["crash", "b"].map(caseOf), MUTANT);
  expect(found.notice).toBeUndefined();
  expect(found.tried).toBe(2);
  expect(found.doubtful).toEqual([
    "crash: crashed without it too",
    "b: 2e+0 × bound without it too",
  ]);
});

test("a crash that only the defect brings about is noticed", async () => {
  const column = asked((_, planted) => {
    if (planted) throw new WorkerLost("crashed", "signal 11");
    return replied([]);
  });
  const found = await searchNotice(column, [caseOf("a")], MUTANT);
  expect(found.notice).toEqual({ id: "a", how: "crashed" });
});
