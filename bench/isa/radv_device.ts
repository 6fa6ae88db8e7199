/**
 * A device of Mesa's RADV without an AMD card, and the statistics of what its compiler makes of
 * SPIR-V. RADV_FORCE_FAMILY in the environment of the process names the chip; nothing can run on it.
 */
import { CFunction, dlopen, FFIType } from "bun:ffi";
import { cString, Struct, TYPE, textAt } from "./vulkan_structs";

const VERSION_1_3 = (1 << 22) | (3 << 12);
const COMPUTE = 0x20;
const CAPTURE_STATISTICS = 0x40;
const UNIFORM_BUFFER = 6;
const STORAGE_BUFFER = 7;
/** Bytes: Dawn may keep values of its own there. */
const PUSH_CONSTANTS = 128;
/** The second as Dawn has it: its shaders leave the check of bounds to the driver. */
const EXTENSIONS = ["VK_KHR_pipeline_executable_properties", "VK_EXT_robustness2"] as const;

/** A shader as the driver takes it. */
export interface Shader {
  readonly spirv: Uint8Array;
  readonly entryPoint: string;
  /** Numbers of the bindings in set 0. */
  readonly storage: readonly number[];
  readonly uniform: readonly number[];
}

/** Of one compiled shader. */
export interface Compiled {
  /** By the driver's own names. */
  readonly statistics: Readonly<Record<string, number>>;
  /** Of a wave. */
  readonly lanes: number;
}

/** A call by its name; numbers and addresses go in, its result comes out. */
type Call = (name: string, ...given: readonly (number | bigint)[]) => number;

/** One of the driver's functions. @throws Error where the driver refuses */
function callsOf(library: string): {
  readonly call: Call;
  readonly use: (instance: number) => void;
} {
  const { symbols } = dlopen(library, {
    vk_icdGetInstanceProcAddr: { args: [FFIType.u64, FFIType.ptr], returns: FFIType.ptr },
    vk_icdNegotiateLoaderICDInterfaceVersion: { args: [FFIType.ptr], returns: FFIType.i32 },
  });
  symbols.vk_icdNegotiateLoaderICDInterfaceVersion(new Struct(4).u32(5).data);
  let instance = 0;
  const known = new Map<string, (...given: readonly (number | bigint)[]) => number>();
  const bound = (name: string, count: number) => {
    const at = symbols.vk_icdGetInstanceProcAddr(instance, cString(name));
    if (!at) throw new Error(`the driver has no ${name}`);
    // Handles, addresses and counts fill a register each.
    const args = Array<FFIType>(count).fill(FFIType.u64);
    return CFunction({ ptr: at, args, returns: FFIType.i32 }) as never;
  };
  const call: Call = (name, ...given) => {
    const found = known.get(name) ?? bound(name, given.length);
    known.set(name, found);
    const result = found(...given) ?? 0;
    if (result < 0 && RETURNS_RESULT.test(name)) throw new Error(`${name}: VkResult ${result}`);
    return result;
  };
  const use = (made: number) => {
    instance = made;
  };
  return { call, use };
}

/** The rest return nothing. */
const RETURNS_RESULT = /^vk(Create|Enumerate|GetPipelineExecutable)/;

/** A handle that a call writes at the address that `make` gets. */
function handle(make: (at: number) => void): number {
  const out = new Struct(8);
  make(out.address);
  return Number(out.data.readBigUInt64LE());
}

function createInstance(call: Call): number {
  const app = Struct.of(TYPE.applicationInfo, 48).u64(0).u32(0).u64(0).u32(0, VERSION_1_3);
  const info = Struct.of(TYPE.instance, 64).u32(0).pointer(app);
  return handle((at) => call("vkCreateInstance", info.address, 0, at));
}

function firstDevice(call: Call, instance: number): number {
  const count = new Struct(4).u32(1);
  const found = handle((at) => {
    call("vkEnumeratePhysicalDevices", instance, count.address, at);
  });
  if (found === 0) throw new Error("the driver has no device");
  return found;
}

/** With all features that the driver has, as they say themselves. */
function createDevice(call: Call, physical: number): number {
  const executable = Struct.of(TYPE.executableFeatures, 24);
  const robustness = Struct.of(TYPE.robustness2Features, 32, executable);
  const of13 = Struct.of(TYPE.vulkan13Features, 80, robustness);
  const of12 = Struct.of(TYPE.vulkan12Features, 208, of13);
  const of11 = Struct.of(TYPE.vulkan11Features, 64, of12);
  const features = Struct.of(TYPE.features2, 240, of11);
  call("vkGetPhysicalDeviceFeatures2", physical, features.address);
  const priority = Buffer.from(Float32Array.of(1).buffer);
  const queue = Struct.of(TYPE.queue, 40).u32(0, 0, 1).pointer(priority);
  const names = EXTENSIONS.map(cString);
  const list = names.reduce((all, name) => all.pointer(name), new Struct(8 * names.length));
  const info = Struct.of(TYPE.device, 72, features)
    .u32(0, 1)
    .pointer(queue)
    .u32(0)
    .u64(0)
    .u32(names.length)
    .pointer(list);
  return handle((at) => call("vkCreateDevice", physical, info.address, 0, at));
}

export class RadvDevice {
  private constructor(
    private readonly call: Call,
    private readonly device: number,
    /** The driver's name for the chip. */
    readonly chip: string,
    /** Its own version. */
    readonly driver: string,
  ) {}

  /**
   * @param library path or name of libvulkan_radeon.so
   * @throws Error naming the call that was refused
   */
  static open(library: string): RadvDevice {
    const { call, use } = callsOf(library);
    const instance = createInstance(call);
    use(instance);
    const physical = firstDevice(call, instance);
    const driver = Struct.of(TYPE.driverProperties, 536);
    const properties = Struct.of(TYPE.properties2, 840, driver);
    call("vkGetPhysicalDeviceProperties2", physical, properties.address);
    const chip = textAt(properties.data, 36);
    return new RadvDevice(call, createDevice(call, physical), chip, textAt(driver.data, 276));
  }

  /** @throws Error naming the call that was refused */
  compile(shader: Shader): Compiled {
    const { call, device } = this;
    const module = this.module(shader.spirv);
    const layout = this.layout(shader);
    const name = cString(shader.entryPoint);
    const stage = Struct.of(TYPE.shaderStage, 48).u32(0, COMPUTE).u64(module).pointer(name);
    const info = Struct.of(TYPE.computePipeline, 96)
      .u32(CAPTURE_STATISTICS)
      .inside(stage)
      .u64(layout);
    const pipeline = handle((at) =>
      call("vkCreateComputePipelines", device, 0, 1, info.address, 0, at),
    );
    const compiled = { statistics: this.statistics(pipeline), lanes: this.lanes(pipeline) };
    call("vkDestroyPipeline", device, pipeline, 0);
    call("vkDestroyShaderModule", device, module, 0);
    return compiled;
  }

  private module(spirv: Uint8Array): number {
    const info = Struct.of(TYPE.shaderModule, 40).u32(0).u64(spirv.length).pointer(spirv);
    return handle((at) => this.call("vkCreateShaderModule", this.device, info.address, 0, at));
  }

  private layout({ storage, uniform }: Shader): number {
    const { call, device } = this;
    const all = [
      ...storage.map((binding) => [binding, STORAGE_BUFFER] as const),
      ...uniform.map((binding) => [binding, UNIFORM_BUFFER] as const),
    ];
    const bindings = new Struct(24 * all.length);
    for (const [binding, type] of all) bindings.u32(binding, type, 1, COMPUTE).u64(0);
    const info = Struct.of(TYPE.descriptorSetLayout, 32).u32(0, all.length).pointer(bindings);
    const set = new Struct(8).u64(
      handle((at) => call("vkCreateDescriptorSetLayout", device, info.address, 0, at)),
    );
    const range = new Struct(12).u32(COMPUTE, 0, PUSH_CONSTANTS);
    const whole = Struct.of(TYPE.pipelineLayout, 48).u32(0, 1).pointer(set).u32(1).pointer(range);
    return handle((at) => call("vkCreatePipelineLayout", device, whole.address, 0, at));
  }

  private lanes(pipeline: number): number {
    const info = Struct.of(TYPE.pipelineInfo, 24).u64(pipeline);
    const count = new Struct(4).u32(1);
    const out = Struct.of(TYPE.executableProperties, 536);
    const { call, device } = this;
    call("vkGetPipelineExecutablePropertiesKHR", device, info.address, count.address, out.address);
    return out.data.readUInt32LE(532);
  }

  private statistics(pipeline: number): Record<string, number> {
    const { call, device } = this;
    const info = Struct.of(TYPE.executableInfo, 32).u64(pipeline).u32(0);
    const count = new Struct(4);
    const ask = (to: number) =>
      call("vkGetPipelineExecutableStatisticsKHR", device, info.address, count.address, to);
    ask(0);
    const SIZE = 544;
    const found = count.data.readUInt32LE();
    const out = new Struct(SIZE * found);
    for (let i = 0; i < found; i++) out.data.writeUInt32LE(TYPE.executableStatistic, i * SIZE);
    ask(out.address);
    return Object.fromEntries(
      Array.from({ length: found }, (_, i) => {
        const at = out.data.subarray(i * SIZE, (i + 1) * SIZE);
        return [textAt(at, 16), numberAt(at.readUInt32LE(528), at.subarray(536))];
      }),
    );
  }
}

/** Formats of VkPipelineExecutableStatisticFormatKHR: bool, i64, u64, f64. */
function numberAt(format: number, bytes: Buffer): number {
  if (format === 0) return bytes.readUInt32LE();
  return format === 3 ? bytes.readDoubleLE() : Number(bytes.readBigInt64LE());
}
