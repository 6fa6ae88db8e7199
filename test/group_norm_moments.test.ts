/** Statistics of a group normalisation, merged from a convolution's moments on every kind of adapter. */
import { describe, expect, test } from "bun:test";
import { groupNorm } from "../kernels/norm/group_norm";
import { mergeMoments } from "../kernels/norm/moments";
import { Graph, storagesOf } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { state } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import type { Device } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { testDevice } from "./test_devices";

/** Samples, groups, channels of a group, and parts of a channel. */
const CASES = [
  { n: 2, groups: 3, cg: 6, parts: 37 },
  { n: 1, groups: 5, cg: 1, parts: 1 },
  { n: 3, groups: 1, cg: 11, parts: 130 },
  { n: 12, groups: 8, cg: 2, parts: 64 },
  { n: 1, groups: 8, cg: 4, parts: 3 },
];
type MomentsCase = (typeof CASES)[number];

const EPS = 1e-5;
/** Of sums of a few hundred numbers in float32, in units of what is summed. */
const BOUND = 64 * 2 ** -24;

/** Rows of count, mean and sum of squared deviations. */
function partsOf({ n, groups, cg, parts }: MomentsCase): Float32Array {
  const random = new Philox(11, parts);
  const rows = Array.from({ length: n * groups * cg * parts }, () => {
    const count = 1 + random.int(500);
    return [count, 2 + random.normal(), count * random.uniform(0.5, 1.5)];
  });
  return Float32Array.from(rows.flat());
}

async function merged(device: Device, c: MomentsCase, kind: "hardware" | undefined) {
  const own = capabilities(device);
  const graph = new Graph(kind ? { ...own, kind } : own);
  const C = c.groups * c.cg;
  const moments = state("moments", [c.n, C, c.parts, 3]);
  const [weight, bias] = [state("weight", [C]), state("bias", [C])];
  const attrs = { groups: c.groups, eps: EPS, relu: true, moments };
  const inputs = { x: state("x", [c.n, C, 2, 2, 2]), weight, bias };
  const { stats, channelMeans } = graph.apply(groupNorm, inputs, attrs);
  const memory = new Memory(device);
  const temps = storagesOf(graph.dispatches).filter((t) => t.kind === "temp");
  const program = await Program.compile(memory, graph, "merge", temps);
  memory.write(moments, partsOf(c));
  for (const t of temps) {
    const buffer = program.bufferOf(t);
    device.device.queue.writeBuffer(buffer, 0, new Float32Array(buffer.size / 4).fill(Number.NaN));
  }
  program.run();
  const found = {
    stats: await memory.readF32(stats!, program.bufferOf(stats!)),
    means: await memory.readF32(channelMeans!, program.bufferOf(channelMeans!)),
  };
  program.destroy();
  return found;
}

for (const adapter of ["lavapipe", "swiftshader", "hardware"]) {
  const device = await testDevice(adapter);
  if (!device) continue;
  describe(adapter, () => {
    for (const kind of [undefined, "hardware"] as const) {
      for (const c of CASES) {
        const id = Object.entries(c).flat().join(" ");
        test(`${id}${kind ? " as on a GPU" : ""}`, async () => {
          const { stats, means } = await merged(device, c, kind);
          const rows = partsOf(c);
          const close = (got: number, wanted: number, what: string) =>
            expect(Math.abs(got / wanted - 1), what).toBeLessThan(BOUND);
          const channel = 3 * c.parts;
          means.forEach((mean, i) => {
            const part = rows.subarray(i * channel, (i + 1) * channel);
            close(mean, mergeMoments(part).mean, `channel ${i}`);
          });
          for (let i = 0; i < c.n * c.groups; i++) {
            const part = rows.subarray(i * c.cg * channel, (i + 1) * c.cg * channel);
            const { mean, std } = mergeMoments(part);
            close(stats[2 * i]!, mean, `mean of group ${i}`);
            close(stats[2 * i + 1]!, 1 / Math.sqrt(std ** 2 + EPS), `deviation of group ${i}`);
          }
        });
      }
    }
  });
}
