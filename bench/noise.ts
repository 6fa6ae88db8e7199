/** Made-up volumes: what is measured does not depend on what they show. */
import { Philox } from "../src/core/random";
import type { VolumeSource } from "../src/data/volume_store";

/** A cube of noise with a lesion voxel in a thousand; with `constant`, of nothing but zeros. */
export function cube(edge: number, constant = false): VolumeSource {
  const random = new Philox(0, edge);
  const count = edge ** 3;
  const visit = () => Float32Array.from({ length: count }, () => (constant ? 0 : random.normal()));
  const label = Uint8Array.from({ length: count }, () => (random.uniform() < 1e-3 ? 1 : 0));
  const lesions = Uint32Array.from([...label.keys()].filter((i) => label[i]));
  const data = { visit1: visit(), visit2: visit(), labels: [label] };
  return { id: "noise", size: [edge, edge, edge], lesions: [lesions], load: async () => data };
}
