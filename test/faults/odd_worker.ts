/** Cases that end as none should, for the test of the supervisor. */
import type { Part } from "./part";
import { runCases } from "./run_cases";

const odd: Part = {
  name: "odd",
  title: "cases that end as none should",
  seconds: 2,
  cases: () => [
    { id: "refused", run: () => ({ end: "refused" }) },
    {
      id: "hangs",
      run: () => {
        for (;;);
      },
    },
    { id: "right", run: () => ({ end: "right", bytes: 7 }) },
    {
      id: "throws",
      run: () => {
        throw new Error("thrown");
      },
    },
    { id: "exits", run: () => process.exit(3) },
    { id: "the last", run: () => ({ end: "right" }) },
  ],
};

await runCases([odd]);
