import type { SubgroupMatrix } from "../core/kernel";

export type AdapterKind = "hardware" | "lavapipe" | "swiftshader" | "software";
export type AdapterSourceName = "system" | "lavapipe" | "swiftshader" | "browser";

/** The facts of an adapter before a device is opened on it. */
export interface AdapterDescription {
  /** The driver's name for it, e.g. `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Driver and version in the driver's own words; may be empty. */
  readonly driver: string;
  /** `vulkan`, `metal`, `d3d12`, or `webgpu` in a browser. */
  readonly backend: string;
  readonly type: "hardware" | "software";
  readonly kind: AdapterKind;
  /** Where the driver came from: installed on the system, or brought. */
  readonly source: AdapterSourceName;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  /** Products of subgroup matrices; empty where the adapter has none. */
  readonly subgroupMatrices: readonly SubgroupMatrix[];
  /** Lanes per subgroup, or null where the adapter has no subgroups. */
  readonly subgroupSize: { readonly min: number; readonly max: number } | null;
}

/** Adapter and driver, in their own words. */
export function adapterText({ name, driver, backend }: AdapterDescription): string {
  return [name, driver, backend].join(", ");
}

/** Describes `adapter`; `name` as the driver gives it (WebGPU's own info has only a digest). */
export function describeAdapter(
  adapter: GPUAdapter,
  from: { readonly name: string; readonly backend: string; readonly source: AdapterSourceName },
): AdapterDescription {
  const { info, features, limits } = adapter;
  const kind = adapterKind(`${from.name} ${info.architecture}`, info.isFallbackAdapter === true);
  const { subgroupMinSize: min, subgroupMaxSize: max } = info;
  return {
    ...from,
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    type: kind === "hardware" ? "hardware" : "software",
    kind,
    limits,
    features: new Set<string>(features),
    subgroupMatrices: subgroupMatrices(info),
    subgroupSize: features.has("subgroups") && min && max ? { min, max } : null,
  };
}

/** The limits as a plain object: those of an adapter are getters of its prototype. */
export function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const plain: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") plain[name] = value;
  }
  return plain;
}

/** Dawn's extension of the adapter's information, in our terms. */
interface WithMatrices {
  readonly subgroupMatrixConfigs?: Iterable<
    Readonly<Record<"M" | "N" | "K", number>> &
      Readonly<Record<"componentType" | "resultComponentType", string>>
  >;
}

function subgroupMatrices(info: GPUAdapterInfo): SubgroupMatrix[] {
  const configs = (info as WithMatrices).subgroupMatrixConfigs ?? [];
  return [...configs].map(({ M, N, K, componentType, resultComponentType }) => ({
    ...{ M, N, K },
    component: componentType,
    result: resultComponentType,
  }));
}

function adapterKind(names: string, isFallback: boolean): AdapterKind {
  if (/llvmpipe|lavapipe/i.test(names)) return "lavapipe";
  if (/swiftshader/i.test(names)) return "swiftshader";
  return isFallback ? "software" : "hardware";
}

/** The one line at start: adapter, driver, precision, and what a software adapter means. */
export function startLine(
  info: AdapterDescription,
  precision: string,
  { lavapipeRefusal, gpuHint }: { lavapipeRefusal?: string; gpuHint?: string },
): string {
  const where = info.source === "system" || info.source === "browser" ? "" : ", brought by voxgrad";
  const driver = info.driver ? ` (${info.driver})` : "";
  const line = `adapter: ${info.name}${driver}, ${info.backend}${where}, ${precision}`;
  if (info.type === "hardware") return line;
  const hint = gpuHint ? `; ${gpuHint}` : "";
  if (info.kind === "lavapipe") {
    return `${line}; software adapter: the processor computes, far slower than any GPU${hint}`;
  }
  const why = lavapipeRefusal ? `; lavapipe: ${lavapipeRefusal}` : "";
  return (
    `${line}; slow software adapter: install mesa-vulkan-drivers 23.2 or newer (lavapipe) ` +
    `for 4 to 10 times the speed${why}${hint}`
  );
}
