/** Makes compiled pipelines of WGSL text: specialisation, caching, readable errors. */
import type { Consts, Kernel } from "../core/kernel";

const CONST_LINE = /^(const\s+(\w+)\s*:\s*(u32|i32|f32|bool)\s*=\s*)[^;]+;/gm;

function literal(value: number | boolean, type: string, where: string): string {
  if (type === "bool") return String(Boolean(value));
  const n = Number(value);
  if (!Number.isFinite(Math.fround(n)))
    throw new Error(`${where}: ${value} is not a finite number`);
  if (type === "f32") {
    const text = String(Math.fround(n));
    return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
  }
  const [low, high] = type === "u32" ? [0, 2 ** 32 - 1] : [1 - 2 ** 31, 2 ** 31 - 1];
  if (!Number.isInteger(n) || n < low || n > high) {
    throw new Error(`${where}: ${value} is not a valid ${type}`);
  }
  return `${n}${type === "u32" ? "u" : "i"}`;
}

/**
 * Replaces the right-hand side of module-scope `const NAME: type = …;` lines.
 * @throws Error when a const has no such line in the shader
 */
export function specialise(kernel: Kernel, consts: Consts): string {
  const missing = new Set(Object.keys(consts));
  const source = kernel.source.replace(CONST_LINE, (line, head, name, type) => {
    if (!(name in consts)) return line;
    missing.delete(name);
    return `${head}${literal(consts[name]!, type, `${kernel.name}.${name}`)};`;
  });
  if (missing.size > 0) {
    throw new Error(`${kernel.name}.wgsl has no \`const ${[...missing].join(", ")}\` line`);
  }
  return source;
}

/** The lines around each error, numbered, under the compiler's own message. */
export function showShaderError(
  source: string,
  messages: readonly GPUCompilationMessage[],
): string {
  const lines = source.split("\n");
  const parts = messages.map((m) => {
    const from = Math.max(1, m.lineNum - 3);
    const to = Math.min(lines.length, m.lineNum + 2);
    const context = lines.slice(from - 1, to).map((text, i) => {
      const n = from + i;
      return `${n === m.lineNum ? ">" : " "} ${String(n).padStart(4)} | ${text}`;
    });
    return `${m.type} at line ${m.lineNum}: ${m.message}\n${context.join("\n")}`;
  });
  return parts.join("\n");
}

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiled pipelines of one device, each made once; compilation runs in parallel. */
export class PipelineCache {
  private readonly cache = new Map<string, Promise<Pipeline>>();

  constructor(private readonly device: GPUDevice) {}

  get size(): number {
    return this.cache.size;
  }

  /** @throws Error naming the kernel, with numbered WGSL lines, when the shader does not compile */
  get(kernel: Kernel, consts: Consts): Promise<Pipeline> {
    const source = specialise(kernel, consts);
    const found = this.cache.get(source);
    if (found) return found;
    const made = this.compile(kernel, source);
    this.cache.set(source, made);
    return made;
  }

  private async compile(kernel: Kernel, source: string): Promise<Pipeline> {
    const { device } = this;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: kernel.name, code: source });
    const layout = this.layout(kernel);
    const scope = device.popErrorScope();
    const info = await module.getCompilationInfo();
    const errors = info.messages.filter((m) => m.type === "error");
    if (errors.length > 0) {
      await scope;
      throw new Error(`shader ${kernel.name}.wgsl:\n${showShaderError(source, errors)}`);
    }
    const invalid = await scope;
    if (invalid) throw new Error(`shader ${kernel.name}.wgsl: ${invalid.message}`);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label: kernel.name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
      return { pipeline, layout };
    } catch (error) {
      throw new Error(`pipeline ${kernel.name}: ${(error as Error).message}`);
    }
  }

  private layout(kernel: Kernel): GPUBindGroupLayout {
    const entries: GPUBindGroupLayoutEntry[] = Object.values(kernel.bindings).map((access, i) => ({
      binding: i,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === "read" ? "read-only-storage" : "storage" },
    }));
    if (kernel.args) {
      const buffer = { type: "uniform" as const };
      entries.push({ binding: entries.length, visibility: GPUShaderStage.COMPUTE, buffer });
    }
    return this.device.createBindGroupLayout({ label: kernel.name, entries });
  }
}
