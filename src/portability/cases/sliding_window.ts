/** Sliding-window inference against windows that are placed by hand and averaged in float64. */
import { sigmoid } from "../../../kernels/elementwise/sigmoid";
import type { Graph } from "../../core/graph";
import { Philox } from "../../core/random";
import type { Tensor } from "../../core/tensor";
import { predictVolume } from "../../infer/sliding_window";
import { initialise, toNamed, unetParameters } from "../../nn/parameters";
import { unet3d } from "../../nn/unet3d";
import { flatParameters } from "../../nn/weights";
import { logits64, type Patches } from "../../reference/unet3d";
import type { Outcome } from "../case";
import type { Rig } from "../op_run";
import { FORWARD, near, outcomeOf, PATCH, unet } from "./network_parts";

const VOLUME: [number, number, number] = [17, 11, 13];
const STRIDE = 6;
/** First voxels (z, y, x) of the windows of 8³ voxels at steps of 6, by hand: the last one is flush. */
const WINDOWS = [0, 5].flatMap((z) =>
  [0, 3].flatMap((y) => [0, 6, 9].map((x) => [z, y, x] as const)),
);

/** Probabilities of a volume, averaged over windows. */
export async function slidingWindow({ memory }: Rig, seed: number): Promise<Outcome> {
  const config = unet(4, 4, 4);
  const specs = unetParameters(config);
  const params = flatParameters("w", specs);
  const weights = initialise(specs, seed);
  memory.write(params.flat, weights);
  const rng = new Philox(seed, 47);
  const count = VOLUME.reduce((a, b) => a * b);
  const visits = [0, 1].map(() => Float32Array.from({ length: count }, () => rng.normal()));
  const [visit1, visit2] = [visits[0]!, visits[1]!];
  const load = async () => ({ visit1, visit2, labels: [] });
  const source = { id: "volume", size: VOLUME, lesions: [], load };
  const network = (g: Graph, x: Tensor) =>
    g.apply(sigmoid, { x: unet3d(g, params.named, x, config) }, {}).y!;
  const options = { patch: PATCH, stride: STRIDE, batch: 4 };
  const got = await predictVolume(memory, network, source, options);
  memory.release(params.flat);
  const expected = averaged(visits, (patches) =>
    logits64(toNamed(specs, weights), config, patches),
  );
  // A probability changes by at most a quarter of what its logit does.
  return outcomeOf([near("probabilities", got, expected, FORWARD)]);
}

/** The mean over the windows in float64. */
function averaged(
  visits: readonly Float32Array[],
  logits: (patches: Patches) => Float64Array,
): Float64Array {
  const [W, H, D] = VOLUME;
  const sum = new Float64Array(W * H * D);
  const hits = new Float64Array(sum.length);
  for (const [z0, y0, x0] of WINDOWS) {
    const places: number[] = [];
    for (let i = 0; i < PATCH ** 3; i++) {
      const [z, y, x] = [Math.floor(i / PATCH ** 2), Math.floor(i / PATCH) % PATCH, i % PATCH];
      places.push(((z0 + z) * H + y0 + y) * W + x0 + x);
    }
    const x = Float32Array.from(visits.flatMap((visit) => places.map((at) => visit[at]!)));
    const values = logits({ x, y: new Float32Array(PATCH ** 3), n: 1 });
    for (const [i, at] of places.entries()) {
      sum[at]! += 1 / (1 + Math.exp(-values[i]!));
      hits[at]!++;
    }
  }
  return sum.map((value, i) => value / hits[i]!);
}
