/** The small network of tests and portability cases; each says only in what its own differs. */
import type { UNetConfig } from "../nn/unet3d";

export const TEST_UNET = {
  inChannels: 2,
  filters: [8, 8, 8],
  groups: 8,
  epsilon: 1e-5,
  alignCorners: true,
  recompute: false,
} as const satisfies UNetConfig;
