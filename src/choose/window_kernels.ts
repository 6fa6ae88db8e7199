/** The kernel choices that recording one prediction would make; needs no device. */
import { Graph } from "../core/graph";
import type { Capabilities } from "../core/kernel";
import { type Precision, state } from "../core/tensor";
import type { Choices, Picked } from "../core/variant";
import { unetNetwork } from "../infer/model";
import type { ModelInfo } from "../infer/model_info";
import { unetParameters } from "../nn/parameters";
import { flatParameters } from "../nn/weights";

/**
 * @param batch windows per run of the network
 * @param choices what has been tuned, for the picks that will really be made
 */
export function windowPicks(
  caps: Capabilities,
  { unet, patch }: ModelInfo,
  batch: number,
  precision: Precision,
  choices?: Choices,
): readonly Picked[] {
  const g = new Graph(caps, { choices });
  const network = unetNetwork(flatParameters("w", unetParameters(unet)).named, unet);
  network(g, state("windows", [batch, unet.inChannels, patch, patch, patch], precision));
  return g.picks;
}
