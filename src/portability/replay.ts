/** Runs packed dispatches by themselves, in one pass, without the engine. */
import type { Device } from "../gpu/device";
import { bytesOf, fromBase64, type Packed, type PackedDispatch, toBase64 } from "./packed";

/** The words of every buffer afterwards, base64. */
export async function replay(device: Device, packed: Packed): Promise<string[]> {
  const gpu = device.device;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffers = packed.buffers.map(({ name, data }) => {
    const bytes = fromBase64(data);
    const buffer = gpu.createBuffer({ label: name, size: bytes.length, usage });
    gpu.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  });
  const uniforms: GPUBuffer[] = [];
  const steps = [];
  for (const dispatch of packed.dispatches) {
    const uniform = dispatch.args.length > 0 ? uniformOf(gpu, dispatch.args) : undefined;
    if (uniform) uniforms.push(uniform);
    steps.push(await stepOf(gpu, dispatch, buffers, uniform));
  }
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { pipeline, group, workgroups } of steps) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroups);
  }
  pass.end();
  const staging = buffers.map(({ size }) =>
    gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
  );
  for (const [i, buffer] of buffers.entries()) {
    encoder.copyBufferToBuffer(buffer, 0, staging[i]!, 0, buffer.size);
  }
  device.submit(encoder.finish(), "replay");
  const words: string[] = [];
  for (const buffer of staging) {
    await device.wait(buffer.mapAsync(GPUMapMode.READ));
    words.push(toBase64(bytesOf(new Uint8Array(buffer.getMappedRange().slice(0)))));
  }
  for (const buffer of [...buffers, ...staging, ...uniforms]) buffer.destroy();
  return words;
}

function uniformOf(gpu: GPUDevice, args: readonly number[]): GPUBuffer {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = gpu.createBuffer({ size: 256, usage });
  gpu.queue.writeBuffer(buffer, 0, Uint32Array.from(args));
  return buffer;
}

async function stepOf(
  gpu: GPUDevice,
  { kernel, wgsl, access, buffers: bound, ranges, workgroups }: PackedDispatch,
  buffers: readonly GPUBuffer[],
  uniform: GPUBuffer | undefined,
) {
  const types: GPUBufferBindingType[] = access.map((a) =>
    a === "read" ? "read-only-storage" : "storage",
  );
  if (uniform) types.push("uniform");
  const layout = gpu.createBindGroupLayout({
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  const pipeline = await gpu.createComputePipelineAsync({
    label: kernel,
    layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: gpu.createShaderModule({ label: kernel, code: wgsl }), entryPoint: "main" },
  });
  const entries: GPUBindGroupEntry[] = bound.map((at, binding) => {
    const [offset, size] = ranges[binding]!;
    return { binding, resource: { buffer: buffers[at]!, offset, size } };
  });
  if (uniform) entries.push({ binding: entries.length, resource: { buffer: uniform } });
  return { pipeline, group: gpu.createBindGroup({ layout, entries }), workgroups };
}
