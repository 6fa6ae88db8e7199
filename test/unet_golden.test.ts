/** The network against PyTorch in the kernels that adapters run by default (test/golden_network.ts). */
import { describeGolden } from "./golden_network";

await describeGolden("lavapipe");
await describeGolden("lavapipe", { fuse: false });
await describeGolden("lavapipe", { recompute: true });
await describeGolden("hardware");
