/**
 * `bun src/portability/hosts/measure.ts [host…]`: the table of docs/engine/portability.md. Trains 20 iterations
 * in every host on every adapter, compares the losses with those of the first, and measures waiting.
 */
import { join } from "node:path";
import { CURVE_TOLERANCE, largestDifference, type TrainingCurve } from "../training";
import { hosts } from "./index";
import type { Measurements, Waiting } from "./measure_worker";

const WORKER = join(import.meta.dir, "measure_worker.ts");
const wanted = process.argv.slice(2);
let first: TrainingCurve | undefined;

const show = (waiting: Waiting | undefined) =>
  waiting ? `${waiting.gflops.toFixed(0)} (${waiting.emptyMs.toFixed(2)} ms)` : "–";

console.log(
  `| host | adapter | largest difference (tolerance ${CURVE_TOLERANCE}) | compile s | train s |
GFLOP/s and empty wait: as it waits | plain await | sleeping |`.replace("\n", " "),
);
console.log("|---|---|---|---|---|---|---|---|");
for (const host of hosts) {
  if (wanted.length > 0 && !wanted.includes(host.name)) continue;
  const { adapters, reason } = await host.adapters();
  if (reason) console.error(`${host.name}: ${reason}`);
  for (const adapter of adapters) {
    const worker = await host.start(adapter, WORKER);
    worker.send("measure");
    const { value } = await worker.messages[Symbol.asyncIterator]().next();
    await worker.stop();
    if (!value) throw new Error(`${host.name} × ${adapter.name}: ${(await worker.ended).detail}`);
    const { curve, ...waits } = value as Measurements;
    first ??= curve;
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    const cells = [
      host.name,
      adapter.kind,
      largestDifference(curve, first).toExponential(1),
      seconds(curve.compileMs),
      seconds(curve.trainMs),
      ...[waits.host, waits.plain, waits.throttled].map(show),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
process.exit(0);
