/** Makes a program of recorded dispatches, so that they run by themselves. */
import { type Dispatch, Graph } from "../src/core/graph";
import { capabilities } from "../src/gpu/capabilities";
import type { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { TensorCopies } from "./copies";

/** One dispatch on fresh buffers. */
export class DispatchClone {
  private constructor(
    readonly program: Program,
    private readonly copies: TensorCopies,
    /** What Program.compile took; some drivers compile only when it first runs. */
    readonly compileMs: number,
  ) {}

  static async create(memory: Memory, dispatch: Dispatch): Promise<DispatchClone> {
    const copies = new TensorCopies(memory);
    const tensors = dispatch.tensors.map((t) => copies.of(t));
    const start = performance.now();
    const program = await compileDispatches(memory, [{ ...dispatch, tensors }], dispatch.label);
    return new DispatchClone(program, copies, performance.now() - start);
  }

  release(): void {
    this.program.destroy();
    this.copies.release();
  }
}

export function compileDispatches(
  memory: Memory,
  dispatches: readonly Dispatch[],
  name: string,
): Promise<Program> {
  const g = new Graph(capabilities(memory.device));
  g.dispatches.push(...dispatches);
  return Program.compile(memory, g, name);
}
