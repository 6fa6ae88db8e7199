/** The work that every engine is asked to do, and how much arithmetic it is. */
import { unetParameters } from "../../src/nn/parameters";

/** A 3×3×3 convolution with zero padding on (N, cin, edge, edge, edge), float32, no bias. */
export interface ConvWork {
  readonly kind: "conv";
  readonly cin: number;
  readonly cout: number;
  readonly edge: number;
  /** Samples in the batch. */
  readonly patches: number;
  /** Also the gradients of the input and of the weights. */
  readonly backward: boolean;
}

/** The paper's U-Net on a batch of 32³ patches. */
export interface NetworkWork {
  readonly kind: "network";
  readonly patches: number;
  /** False: forward, to logits. True: forward, Dice loss, backward, Adam. */
  readonly training: boolean;
}

/** One iteration of Algorithm 1: `pool` patches ranked under w̄, the `batch` hardest trained on. */
export interface IterationWork {
  readonly kind: "iteration";
  readonly pool: number;
  readonly batch: number;
}

export type Work = ConvWork | NetworkWork | IterationWork;

/** Whether a work needs gradients. */
export function needsGradients(work: Work): boolean {
  if (work.kind === "conv") return work.backward;
  return work.kind === "iteration" || work.training;
}

/** The paper's network. */
export const NETWORK = { inChannels: 2, filters: [16, 32, 64] } as const;
/** Edge of the network's patches, voxels. */
export const PATCH = 32;

const BIG: readonly (readonly [cin: number, cout: number, edge: number])[] = [
  [16, 16, 32],
  [48, 16, 32],
  [32, 32, 16],
  [96, 32, 16],
  [64, 64, 8],
];

/** The five big convolutions of the network, forward and with backward. */
export function convWorks(patches: number): ConvWork[] {
  return [false, true].flatMap((backward) =>
    BIG.map(([cin, cout, edge]) => ({ kind: "conv" as const, cin, cout, edge, patches, backward })),
  );
}

/** Short name of a work, unique among those of one run. */
export function workName(work: Work): string {
  if (work.kind === "iteration") return `OHEM iteration ${work.pool}/${work.batch}`;
  if (work.kind === "network") {
    return `${work.training ? "training step" : "network forward"} ×${work.patches}`;
  }
  const { cin, cout, edge, backward } = work;
  return `conv ${cin}→${cout} @${edge}³${backward ? " +backward" : ""}`;
}

/**
 * Patches that the rate of a work counts: those of the batch; of an iteration those that are
 * trained on.
 */
export function countedPatches(work: Work): number {
  return work.kind === "iteration" ? work.batch : work.patches;
}

/** Voxels of a patch at the resolution of each block of the U-Net. */
const BLOCK_EDGE: Readonly<Record<string, number>> = {
  enc2: PATCH / 2,
  mid: PATCH / 4,
  dec2: PATCH / 2,
};

/** Operations (a multiply-add is two) of the convolutions of one patch, done directly. */
function networkOperations(): { forward: number; step: number } {
  let forward = 0;
  let first = 0;
  for (const { name, shape, kind } of unetParameters(NETWORK)) {
    if (kind !== "weight") continue;
    const edge = BLOCK_EDGE[name.split(".")[0]!] ?? PATCH;
    const operations = 2 * shape.reduce((a, b) => a * b, 1) * edge ** 3;
    if (forward === 0) first = operations;
    forward += operations;
  }
  return { forward, step: 3 * forward - first }; // nobody needs the gradient of the image
}

/** Direct-convolution operations of a work, whatever the engine really does. */
export function operations(work: Work): number {
  if (work.kind === "conv") {
    const { cin, cout, edge, patches, backward } = work;
    return 2 * 27 * cin * cout * edge ** 3 * patches * (backward ? 3 : 1);
  }
  const { forward, step } = networkOperations();
  if (work.kind === "network") return (work.training ? step : forward) * work.patches;
  return forward * work.pool + step * work.batch;
}
