/** The suite's memories: guard words after every buffer, and perhaps a defect in a shader. */
import type { Consts, Kernel } from "../core/kernel";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { type Pipeline, PipelineCache } from "../gpu/shader";
import type { Mutant } from "./mutants/defect";

/** The kernel with the defect, if it is the one. @throws Error where its text is not as the mutant says */
export function mutate(kernel: Kernel, { kernel: name, from, to }: Mutant): Kernel {
  if (kernel.name !== name) return kernel;
  const parts = kernel.source.split(from);
  if (parts.length !== 2) {
    throw new Error(`stale mutant: ${name}.wgsl has ${parts.length - 1} places with ${from}`);
  }
  return { ...kernel, source: parts.join(to) };
}

class MutantPipelines extends PipelineCache {
  constructor(
    device: GPUDevice,
    private readonly mutant: Mutant,
  ) {
    super(device);
  }

  override get(kernel: Kernel, consts: Consts): Promise<Pipeline> {
    return super.get(mutate(kernel, this.mutant), consts);
  }
}

export class MutantMemory extends Memory {
  override readonly pipelines: PipelineCache;

  constructor(
    device: Device,
    guardWords: number,
    private readonly mutant: Mutant,
  ) {
    super(device, guardWords);
    this.pipelines = new MutantPipelines(device.device, mutant);
  }

  mutated(kernel: Kernel): Kernel {
    return mutate(kernel, this.mutant);
  }
}
