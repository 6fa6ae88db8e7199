/** `bun run bench ops`: every op by itself, whether a preset runs it or not. */
import { expect, test } from "bun:test";
import { largeCase } from "../bench/ops";
import { costOf } from "../src/core/cost";
import { OpGraph } from "../src/portability/op_run";
import { outlineOf } from "../src/portability/outline";
import { references } from "../src/reference/index";
import { GPU } from "./adapters";
import { expectRefusal, run } from "./cli_rig";

test("each has a case that can be recorded, and every launch moves bytes", () => {
  for (const reference of references) {
    const { graph } = new OpGraph(outlineOf(reference, largeCase(reference)), GPU, {});
    expect(graph.dispatches.length, reference.op.name).toBeGreaterThan(0);
    for (const dispatch of graph.dispatches) {
      expect(costOf(dispatch).bytes, dispatch.label).toBeGreaterThan(0);
    }
  }
});

test("an op that no preset runs is timed, forward and backward", async () => {
  const { err, out, code } = await run("bench", "ops", "--filter", "^relu", "--repetitions", "1");
  expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
  expect(out).toMatch(/^relu\/relu 4194304 → 4194304 .* ms .* of roofline/m);
  expect(out).toMatch(/^relu\.backward\/relu_dx /m);
});

test("a variant that no op has is refused in one line", async () => {
  const given = (variant: string) => ["bench", "ops", "--variant", variant] as const;
  await expectRefusal(
    /conv3d=fast: expected one of .*\bplain, .*\bnaive$/m,
    ...given("conv3d=fast"),
  );
  await expectRefusal(/conv=naive: expected one of .*\bconv3d_dw\b/, ...given("conv=naive"));
});
