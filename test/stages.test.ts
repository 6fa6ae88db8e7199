import { expect, test } from "bun:test";
import { Stages } from "../src/terminal/stages";

test("seconds and shares by stage, repeated stages summed, in order of first mention", () => {
  const times = [1, 4, 4.5, 8.5, 10];
  const stages = new Stages(() => times.shift()!);
  for (const name of ["start", "network", "overlap", "network", "writing"]) stages.ended(name);
  expect(stages.table().split("\n")).toEqual([
    "start        1.00 s   10.0 %",
    "network      7.00 s   70.0 %",
    "overlap      0.50 s    5.0 %",
    "writing      1.50 s   15.0 %",
    "total       10.00 s  100.0 %",
  ]);
});
