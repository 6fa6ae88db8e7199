/**
 * The network's convolutions layer by layer and direction by direction, as ops: with everything that
 * one direction launches, packing, transforms and sums included.
 */
import { add } from "../kernels/elementwise/add";
import { totalCost } from "../src/core/cost";
import { Graph } from "../src/core/graph";
import type { Capabilities } from "../src/core/kernel";
import type { Op, Tensors } from "../src/core/op";
import { channelLayout, elements, state, type Tensor } from "../src/core/tensor";
import { capabilities, graphFor } from "../src/gpu/capabilities";
import { Program } from "../src/gpu/program";
import { stepsOf } from "../src/gpu/stopwatch";
import { unetParameters } from "../src/nn/parameters";
import { unet3d } from "../src/nn/unet3d";
import { flatParameters } from "../src/nn/weights";
import type { TrainConfig } from "../src/settings/config";
import { unetConfig } from "../src/train/state";
import type { Bench } from "./bench";
import { TensorCopies } from "./copies";
import { isConvolution } from "./cost";
import { rooflineShare } from "./kernels";
import type { LayerRow } from "./report/schema";
import { compactShape } from "./rows";

interface Call {
  readonly op: Op<unknown>;
  readonly inputs: Tensors;
  readonly attrs: unknown;
}

/** A graph that remembers which ops were applied to what. */
class CallGraph extends Graph {
  readonly calls: Call[] = [];

  override apply<A>(op: Op<A>, inputs: Tensors, attrs: A): Tensors {
    this.calls.push({ op: op as Op<unknown>, inputs, attrs });
    return super.apply(op, inputs, attrs);
  }
}

/** One direction of one layer: the forward pass, or the gradient of an input. */
export interface Layer {
  readonly id: string;
  readonly shapes: string;
  readonly call: Call;
  /** The input whose gradient it is; absent: forward. */
  readonly gradient?: string;
}

const directionOf = (gradient?: string) => (gradient === undefined ? "forward" : `d${gradient}`);

/** The convolutions of a network of `config` on `patches` patches, each distinct one once. */
export function convolutionLayers(
  caps: Capabilities,
  config: TrainConfig,
  patches: number,
): Layer[] {
  const unet = unetConfig(config);
  const { named } = flatParameters("w", unetParameters(unet));
  const { patch } = config;
  const shape = [patches, unet.inChannels, patch, patch, patch];
  const image = state("patches", shape, config.precision);
  const g = new CallGraph(caps);
  g.noGrad(() => unet3d(g, named, image, unet));
  const layers = new Map<string, Layer>();
  for (const call of g.calls) {
    if (!isConvolution(call.op.name)) continue;
    const { x, w } = call.inputs as { x: Tensor; w: Tensor };
    const y = [x.shape[0]!, w.shape[0]!, ...x.shape.slice(2)];
    const shapes = `${compactShape(x.shape)} → ${compactShape(y)}, ${w.shape[2]}³`;
    const key = JSON.stringify([shapes, channelLayout(x).CT]);
    const wanted = x === image ? [undefined, "w"] : [undefined, "x", "w"];
    for (const gradient of layers.has(`${key} undefined`) ? [] : wanted) {
      const half = config.precision === "f16" ? " f16" : "";
      const id = `${config.preset}${half} ${directionOf(gradient)} ${shapes}`;
      layers.set(`${key} ${gradient}`, { id, shapes, call, gradient });
    }
  }
  return [...layers.values()];
}

/** Records a layer into `graph`, on copies of its tensors; the other tensors it made. */
function recordLayer(graph: Graph, { call, gradient }: Layer, copies: TensorCopies): Tensor[] {
  const inputs = Object.fromEntries(
    Object.entries(call.inputs).map(([name, t]) => [name, copies.of(t)]),
  );
  const made: Tensor[] = [];
  if (gradient !== undefined) {
    const { shape, dtype } = inputs[gradient]!;
    made.push(state(`d${gradient}`, shape, dtype));
    graph.watch(inputs[gradient]!, made[0]!);
  }
  const { y } = graph.apply(call.op, inputs, call.attrs);
  if (gradient !== undefined) {
    graph.dispatches.length = 0; // the forward pass is a layer of its own
    const dy = state("dy", y!.shape, y!.dtype);
    made.push(dy);
    graph.backward(new Map([[y!, dy]]), add);
  }
  return made;
}

async function measureLayer(bench: Bench, preset: string, layer: Layer): Promise<LayerRow> {
  const { memory, stopwatch, controls, ceilings, settings, device, choices } = bench;
  const copies = new TensorCopies(memory);
  const graph = graphFor(device, { variants: settings.variants, choices: choices.kernels });
  const made = recordLayer(graph, layer, copies);
  const { call, gradient, id, shapes } = layer;
  const start = performance.now();
  const program = await Program.compile(memory, graph, id);
  const compileMs = performance.now() - start;
  const { run, firstMs } = await stopwatch.prepare(stepsOf(program));
  const { milliseconds, spread, control } = await controls.beside(run, settings.repetitions);
  program.destroy();
  copies.release();
  for (const t of made) memory.release(t);
  const { x, w } = call.inputs as { x: Tensor; w: Tensor };
  const voxels = elements(x.shape) / x.shape[1]!;
  const flops = 2 * voxels * elements(w.shape);
  const cost = { flops, bytes: totalCost(graph.dispatches).bytes };
  return {
    id,
    preset,
    direction: directionOf(gradient),
    shapes,
    variants: [...new Set(graph.dispatches.flatMap(({ variant }) => variant ?? []))],
    dispatches: graph.dispatches.length,
    ...cost,
    milliseconds,
    spread,
    control,
    gflops: flops / milliseconds / 1e6,
    peakShare: flops / milliseconds / 1e6 / control.gflops,
    roofline: rooflineShare(cost, milliseconds, ceilings, control),
    compileSeconds: Math.max(0, compileMs + firstMs - milliseconds) / 1000,
  };
}

/** @param onRow gets each row as it is done */
export async function measureLayers(
  bench: Bench,
  onRow: (row: LayerRow) => void,
): Promise<LayerRow[]> {
  const rows: LayerRow[] = [];
  for (const preset of bench.settings.presets) {
    const config = bench.config(preset);
    const { patches } = bench.sizes(preset);
    const layers = convolutionLayers(capabilities(bench.device), config, patches);
    for (const layer of bench.select(layers)) {
      rows.push(await measureLayer(bench, preset, layer));
      onRow(rows.at(-1)!);
    }
  }
  return rows;
}
