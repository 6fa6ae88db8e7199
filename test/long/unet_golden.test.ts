/** The network against PyTorch in other kernels, and on the slower software adapter. */
import { describeGolden } from "../golden_network";

const PLAIN = { conv3d: "plain", conv3d_dx: "plain", conv3d_dw: "plain" };
/** The variants that GPUs run, but for sizes that only some adapters hold. */
const BLOCKED = {
  conv3d: "blocked_512x16",
  conv3d_dx: "blocked_1024x8",
  conv3d_dw: "blocked_8x16_8x4",
};

await describeGolden("lavapipe", { variants: PLAIN });
await describeGolden("lavapipe", { variants: BLOCKED });
await describeGolden("swiftshader");
