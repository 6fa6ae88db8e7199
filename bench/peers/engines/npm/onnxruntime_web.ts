/** onnxruntime's browser build on WebGPU. */

import { type Engine, serve } from "../../engine";
import packages from "../../package.json";
import { provideGpu } from "./navigator";
import { inference } from "./onnx_job";

const { info, wait } = await provideGpu(process.argv[2] ?? "");
const ort = await import("onnxruntime-web/webgpu"); // looks for navigator.gpu when it is loaded

const engine: Engine = {
  version: `onnxruntime-web ${packages.dependencies["onnxruntime-web"]}, webgpu on ${info.name}`,
  variants: [{ name: "webgpu", reduced: false }],
  prepare(work, inputs) {
    return inference(ort, { executionProviders: ["webgpu"] }, work, inputs, wait);
  },
};

await serve(async () => engine);
