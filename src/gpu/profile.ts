/** Time by kernel of a recorded program, from timestamp queries around each dispatch. */
import type { Memory } from "./memory";
import type { Program } from "./program";

export interface KernelTime {
  /** `op/kernel`. */
  readonly label: string;
  readonly count: number;
  readonly milliseconds: number;
}

/** Queries that one query set may hold on every adapter. */
const MOST_QUERIES = 4096;

/**
 * Runs the program once, each dispatch in a pass of its own, and sums by label, slowest first.
 * The program's data changes as in an ordinary run.
 * @throws Error when the adapter has no timestamp queries
 */
export async function profile(memory: Memory, program: Program): Promise<KernelTime[]> {
  const { device } = memory.device;
  if (!device.features.has("timestamp-query")) {
    throw new Error("profile: this adapter has no timestamp queries");
  }
  const { labels } = program;
  const totals = new Map<string, { count: number; milliseconds: number }>();
  const perSet = MOST_QUERIES / 2;
  for (let from = 0; from < labels.length; from += perSet) {
    const to = Math.min(labels.length, from + perSet);
    const times = await timeSteps(memory, program, from, to);
    times.forEach((milliseconds, i) => {
      const label = labels[from + i]!;
      const total = totals.get(label) ?? { count: 0, milliseconds: 0 };
      totals.set(label, {
        count: total.count + 1,
        milliseconds: total.milliseconds + milliseconds,
      });
    });
  }
  const rows = [...totals].map(([label, total]) => ({ label, ...total }));
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}

async function timeSteps(
  memory: Memory,
  program: Program,
  from: number,
  to: number,
): Promise<number[]> {
  const { device } = memory.device;
  const count = 2 * (to - from);
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = device.createBuffer({ size: 8 * count, usage });
  const staging = memory.staging("profile", 8 * count);
  const encoder = device.createCommandEncoder({ label: `profile ${program.name}` });
  for (let i = from; i < to; i++) {
    const beginningOfPassWriteIndex = 2 * (i - from);
    const endOfPassWriteIndex = beginningOfPassWriteIndex + 1;
    const timestampWrites = { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex };
    const pass = encoder.beginComputePass({ timestampWrites });
    program.encodeSteps(pass, i, i + 1);
    pass.end();
  }
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
  memory.device.submit(encoder.finish(), `profile ${program.name}`);
  await memory.device.wait(staging.mapAsync(GPUMapMode.READ));
  const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
  for (const resource of [querySet, resolved, staging]) resource.destroy();
  return Array.from(
    { length: to - from },
    (_, i) => Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6,
  );
}
