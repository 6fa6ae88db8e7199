/** Makes volumes of noise. No measured time depends on their contents. */
import { Philox } from "../src/core/random";
import type { VolumeSource } from "../src/data/volume_store";

/** Random values that are drawn, and then repeated over the volume; a prime. */
const PERIOD = 100_003;

/** A cube of noise with a lesion voxel in a thousand; with `constant`, of nothing but zeros. */
export function cube(edge: number, constant = false): VolumeSource {
  const random = new Philox(0, edge);
  const count = edge ** 3;
  const visit = () => {
    const values = Float32Array.from({ length: PERIOD }, () => (constant ? 0 : random.normal()));
    return Float32Array.from({ length: count }, (_, i) => values[i % PERIOD]!);
  };
  const label = Uint8Array.from({ length: count }, (_, i) => (i % 997 === 0 ? 1 : 0));
  const lesions = Uint32Array.from([...label.keys()].filter((i) => label[i]));
  const data = { visit1: visit(), visit2: visit(), labels: [label] };
  return { id: "noise", size: [edge, edge, edge], lesions: [lesions], load: async () => data };
}
