/** A float32 volume on the device, in slabs of planes that one binding can hold. */
import { state, type Tensor } from "../core/tensor";
import { capabilities } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { copyElements, placeIn, readInto } from "../gpu/transfer";
import type { Size3 } from "./volume";

/** Planes [z0, z0 + planes) as a tensor (planes, ny, nx). */
export interface Slab {
  readonly z0: number;
  readonly planes: number;
  readonly tensor: Tensor;
}

export class DeviceVolume {
  readonly slabs: readonly Slab[];

  /** @param most elements of a slab, at least a plane; by default what the adapter binds */
  constructor(
    private readonly memory: Memory,
    name: string,
    readonly size: Size3,
    most = Math.floor(capabilities(memory.device).maxBindingBytes / 4),
  ) {
    const [nx, ny, nz] = size;
    const planes = Math.max(1, Math.min(nz, Math.floor(most / (nx * ny))));
    this.slabs = Array.from({ length: Math.ceil(nz / planes) }, (_, i) => {
      const count = Math.min(planes, nz - i * planes);
      return { z0: i * planes, planes: count, tensor: state(`${name}${i}`, [count, ny, nx]) };
    });
  }

  private get planeElements(): number {
    return this.size[0] * this.size[1];
  }

  /** Copies planes [z0, z0 + count) to the start of `target`. */
  copyPlanes(z0: number, count: number, target: Tensor): void {
    for (const slab of this.slabs) {
      const first = Math.max(z0, slab.z0);
      const last = Math.min(z0 + count, slab.z0 + slab.planes);
      if (first >= last) continue;
      const from = placeIn(this.memory, slab.tensor, (first - slab.z0) * this.planeElements);
      const to = placeIn(this.memory, target, (first - z0) * this.planeElements);
      copyElements(this.memory, from, to, (last - first) * this.planeElements);
    }
  }

  /** The whole volume, x fastest. */
  async read(): Promise<Float32Array> {
    const values = new Float32Array(this.planeElements * this.size[2]);
    for (const { z0, planes, tensor } of this.slabs) {
      const part = values.subarray(z0 * this.planeElements, (z0 + planes) * this.planeElements);
      await readInto(this.memory, placeIn(this.memory, tensor), part);
    }
    return values;
  }

  release(): void {
    for (const { tensor } of this.slabs) this.memory.release(tensor);
  }
}
