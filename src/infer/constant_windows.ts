/** Finds the windows of a volume that hold one constant value; equal ones share one network run. */
import type { PatchAttrs } from "../../kernels/volume/gather_patches";
import { windowRange } from "../../kernels/windows/window_range";
import { state } from "../core/tensor";
import type { VolumeStore } from "../data/volume_store";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { COLUMNS, locate, type Window } from "./windows";

/** Windows that one dispatch measures. */
const BATCH = 1024;
/** Edge of the corner that is looked at before a whole window, voxels. */
const CORNER = 4;

/** The constant values of a window's two visits, as text; undefined where one is not constant. */
type Key = string | undefined;

/**
 * The key of each window: windows with equal keys have equal inputs. Most windows are out after a
 * look at their corner, so that only candidates are read whole.
 */
export async function constantKeys(
  memory: Memory,
  store: VolumeStore,
  windows: readonly Window[],
  patch: number,
): Promise<Key[]> {
  const corners = await keysOf(memory, store, windows, patch, Math.min(patch, CORNER));
  const candidates = [...windows.keys()].filter((i) => corners[i] !== undefined);
  const whole = candidates.map((i) => windows[i]!);
  const exact = await keysOf(memory, store, whole, patch, patch);
  const keys: Key[] = windows.map(() => undefined);
  for (const [k, i] of candidates.entries()) keys[i] = exact[k];
  return keys;
}

/** Keys of the cubes of `edge` voxels at the windows' corners. */
async function keysOf(
  memory: Memory,
  store: VolumeStore,
  windows: readonly Window[],
  patch: number,
  edge: number,
): Promise<Key[]> {
  if (windows.length === 0) return [];
  const coords = state("range_coords", [BATCH, COLUMNS], "u32");
  const g = graphFor(memory.device);
  const attrs: PatchAttrs = { size: [edge, edge, edge], half: store.half };
  const { range } = g.apply(windowRange, { ...store.bindings, coords }, attrs);
  const program = await Program.compile(memory, g, "window_range", [range!]);
  const keys: Key[] = [];
  for (let from = 0; from < windows.length; from += BATCH) {
    const part = windows.slice(from, from + BATCH);
    memory.write(coords, Int32Array.from(part.flatMap((w) => locate(store, w, patch))));
    program.run();
    const values = await memory.readF32(range!, program.bufferOf(range!));
    for (let i = 0; i < part.length; i++) {
      const [min1, max1, min2, max2] = values.subarray(i * COLUMNS, (i + 1) * COLUMNS);
      keys.push(min1 === max1 && min2 === max2 ? `${min1} ${min2}` : undefined);
    }
  }
  program.destroy();
  memory.release(coords);
  return keys;
}
