/** Lists the choices of kernels in a benchmark's programs, for the tuner. */

import { iterationPicks } from "../src/choose/iteration_kernels";
import type { Needs } from "../src/choose/tuning";
import { capabilities } from "../src/gpu/capabilities";
import { modelInfo } from "../src/run/trained_weights";
import { makeTrainConfig } from "../src/settings/presets";
import type { Bench } from "./bench";

export function needsOf(bench: Bench): Needs {
  const caps = capabilities(bench.device);
  const { presets, precision } = bench.settings;
  const configs = presets.flatMap((preset) => [
    makeTrainConfig(preset, { chunk: bench.sizes(preset).patches, precision }),
    bench.config(preset),
    bench.config(preset, { sampler: "uniform" }),
  ]);
  return {
    picks: configs.flatMap((config) => iterationPicks(caps, config)),
    precision,
    models: presets.map((preset) => modelInfo(bench.config(preset))),
  };
}
