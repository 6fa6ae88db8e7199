// Runs the shader(s) of this folder on the data in it, and compares what comes out with what should.
//   bun reproduce.mjs            (or node; after `npm install webgpu@0.6.2` in this folder)
//   deno run --allow-read --allow-env reproduce.mjs
//   a browser: open reproduce.html, which holds this program and all that it reads
// Arguments of the form name=value go to Dawn under Bun and Node: adapter=llvmpipe, backend=vulkan.

const inPage = typeof document !== "undefined";

/** A file of this folder; in a page they are base64 by name. */
async function read(name) {
  if (inPage) return Uint8Array.from(atob(reproductionFiles[name]), (c) => c.charCodeAt(0));
  const { readFile } = await import("node:fs/promises");
  return new Uint8Array(await readFile(new URL(name, import.meta.url)));
}

const text = async (name) => new TextDecoder().decode(await read(name));
const numbers = async (name, Type) => new Type((await read(name)).slice().buffer);

/** The page's, or Deno's, or Dawn's from npm; kept, for Dawn crashes when it is collected. */
async function webgpu() {
  if (globalThis.navigator?.gpu) return navigator.gpu;
  if (inPage) throw new Error("this browser offers no WebGPU (navigator.gpu) here");
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  globalThis.keptGpu = create(process.argv.slice(2).filter((flag) => flag.includes("=")));
  return globalThis.keptGpu;
}

async function openDevice({ features }) {
  const adapter = await (await webgpu()).requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("no adapter");
  const { vendor, architecture, description } = adapter.info;
  const names = [vendor, architecture, description].filter(Boolean).join(", ");
  say(`adapter: ${names || "the browser does not name it"}`);
  const missing = features.filter((name) => !adapter.features.has(name));
  if (missing.length > 0) throw new Error(`the adapter lacks ${missing.join(", ")}`);
  const limits = [
    ...["maxBufferSize", "maxStorageBufferBindingSize", "maxComputeWorkgroupStorageSize"],
    ...["maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupSizeX"],
  ];
  const requiredLimits = Object.fromEntries(limits.map((name) => [name, adapter.limits[name]]));
  const device = await adapter.requestDevice({ requiredFeatures: features, requiredLimits });
  device.addEventListener("uncapturederror", ({ error }) => say(`error: ${error.message}`));
  device.lost.then(({ reason, message }) => {
    if (reason !== "destroyed") say(`device lost: ${message}`);
  });
  return device;
}

function uniform(device, args) {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: 256, usage });
  device.queue.writeBuffer(buffer, 0, Uint32Array.from(args));
  return { buffer };
}

/** Pipeline and bind group of a dispatch. */
async function prepare(device, dispatch, buffers) {
  const resources = dispatch.buffers.map((at, i) => {
    const [offset, size] = dispatch.ranges[i];
    return { buffer: buffers[at], offset, size };
  });
  const types = dispatch.access.map((a) => (a === "read" ? "read-only-storage" : "storage"));
  if (dispatch.args.length > 0) {
    resources.push(uniform(device, dispatch.args));
    types.push("uniform");
  }
  const layout = device.createBindGroupLayout({
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  const module = device.createShaderModule({ code: await text(dispatch.wgsl) });
  const pipeline = await device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  return { pipeline, group: device.createBindGroup({ layout, entries }) };
}

async function run(device, plan) {
  const { COPY_SRC, COPY_DST, STORAGE, MAP_READ } = GPUBufferUsage;
  const buffers = [];
  for (const { data } of plan.buffers) {
    const bytes = await read(data);
    const buffer = device.createBuffer({
      size: bytes.length,
      usage: STORAGE | COPY_SRC | COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, bytes);
    buffers.push(buffer);
  }
  const steps = [];
  for (const dispatch of plan.dispatches) steps.push(await prepare(device, dispatch, buffers));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const [i, { pipeline, group }] of steps.entries()) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...plan.dispatches[i].workgroups);
  }
  pass.end();
  const staging = buffers.map(({ size }) =>
    device.createBuffer({ size, usage: MAP_READ | COPY_DST }),
  );
  for (const [i, from] of buffers.entries()) {
    encoder.copyBufferToBuffer(from, 0, staging[i], 0, from.size);
  }
  device.queue.submit([encoder.finish()]);
  await Promise.all(staging.map((buffer) => buffer.mapAsync(GPUMapMode.READ)));
  return staging.map((buffer) => buffer.getMappedRange().slice(0));
}

/** A half, from its bits: not every runtime has Float16Array. */
function half(bits) {
  const [sign, exponent, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return part ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * part * 2 ** -24 : sign * (1024 + part) * 2 ** (exponent - 25);
}

const ARRAYS = { f32: Float32Array, f16: Uint16Array, u32: Uint32Array, i32: Int32Array };

/** Says what is wrong; returns how many elements. */
async function compare(results, { name, buffer, type, positions, values, bounds }) {
  const got = new ARRAYS[type](results[buffer]);
  const at = await numbers(positions, Uint32Array);
  const expected = await numbers(values, Float64Array);
  const allowed = await numbers(bounds, Float64Array);
  const wrong = [];
  for (const [i, value] of expected.entries()) {
    const element = type === "f16" ? half(got[at[i]]) : got[at[i]];
    const same = Object.is(element, value) || element === value;
    if (!same && !(Math.abs(element - value) <= allowed[i])) wrong.push([i, element]);
  }
  say(`${name}: ${wrong.length} of ${expected.length} elements are wrong`);
  for (const [i, element] of wrong.slice(0, 10)) {
    say(`  [${i}] is ${element}, should be ${expected[i]} ± ${allowed[i].toExponential(1)}`);
  }
  return wrong.length;
}

function say(line) {
  console.log(line);
  if (inPage) document.querySelector("#output").append(`${line}\n`);
}

/** The last line; the title of a page says it too. */
function conclude(passed, line) {
  say(`${passed ? "PASSED" : "FAILED"}: ${line}`);
  if (inPage) document.title = passed ? "PASSED" : "FAILED";
  else process.exit(passed ? 0 : 1);
}

try {
  if (inPage) say(`browser: ${navigator.userAgent}`);
  const plan = JSON.parse(await text("case.json"));
  const device = await openDevice(plan);
  const results = await run(device, plan);
  let wrong = 0;
  for (const expectation of plan.expected) wrong += await compare(results, expectation);
  device.destroy();
  conclude(wrong === 0, wrong > 0 ? "the results are wrong" : "the results are right");
} catch (error) {
  conclude(false, error.message);
}
