/** Predictions on one device, as the command line makes them: the part of the worker that knows no messages. */
import { UserError } from "../../core/errors";
import { state } from "../../core/tensor";
import { checksummed, compareChecksum, decodeSafetensors } from "../../data/safetensors";
import { graphFor } from "../../gpu/capabilities";
import type { Device } from "../../gpu/device";
import { Memory } from "../../gpu/memory";
import { unetNetwork, weightsOf } from "../../infer/model";
import { windowBatch } from "../../infer/window_batch";
import { unetParameters } from "../../nn/parameters";
import { flatParameters } from "../../nn/weights";
import type { Result } from "../../result/parts";
import type { NamedWeights } from "../../run/named_weights";
import type { Observer } from "../../run/observer";
import { checkModels, type PairRequest, predictRead } from "../../run/predict_read";
import { resultOfAnswer } from "../../run/result_of_pair";
import type { Scans, WeightsFile } from "./protocol";

/** As `predict` without options. */
const LIKE_PREDICT = { precision: "f32", grid: "t1", withVisits: true } as const;

export class Work {
  private constructor(
    readonly memory: Memory,
    readonly models: readonly NamedWeights[],
    private readonly files: readonly WeightsFile[],
  ) {}

  /** @throws UserError for a weights file that is damaged or of another program */
  static async open(device: Device, files: readonly WeightsFile[]): Promise<Work> {
    const models = await Promise.all(files.map(readWeights));
    return new Work(new Memory(device), models, files);
  }

  /** Compiles the kernels of the networks' windows, so that the first pair does not wait for them. */
  async compile(): Promise<void> {
    const { memory } = this;
    for (const { info } of this.models) {
      const { unet, patch } = info;
      const g = graphFor(memory.device);
      const shape = [windowBatch(memory.device, info), unet.inChannels, patch, patch, patch];
      const { named } = flatParameters("w", unetParameters(unet));
      unetNetwork(named, unet)(g, state("windows", shape));
      const { pipelines } = memory;
      await Promise.all(g.dispatches.map(({ kernel, consts }) => pipelines.get(kernel, consts)));
    }
  }

  /** @throws UserError for scans that cannot be used, or the signal's reason when interrupted */
  async predict(
    scans: Scans,
    patient: string,
    observer: Observer,
    signal?: AbortSignal,
  ): Promise<Result> {
    const { memory, models, files } = this;
    const request: PairRequest = { ...LIKE_PREDICT, models };
    const bias = checkModels(request, observer);
    const read = {
      images: [...scans] as [Scans[0], Scans[1]],
      acquisitions: [undefined, undefined],
      brain: "auto",
    } as const;
    const predictor = { request, memory, choices: {}, bias };
    const answer = await predictRead(predictor, read, observer, signal);
    const [t1, t2] = [scans[0].path, scans[1].path];
    const weights = files.map(({ name, sha256 }) => ({ name, sha256 }));
    return resultOfAnswer(answer, weights, { patient, t1, t2, grid: LIKE_PREDICT.grid });
  }
}

async function readWeights({ name, sha256, bytes }: WeightsFile): Promise<NamedWeights> {
  const found = await sha256Of([bytes]);
  if (found !== sha256) {
    throw new UserError(
      `${name}: is not the file that belongs to this page (SHA-256 ${found.slice(0, 8)}…, expected ` +
        `${sha256.slice(0, 8)}…): reload the page`,
    );
  }
  const contents = decodeSafetensors(bytes, name);
  if (contents.sha256 !== undefined) {
    compareChecksum(contents, await sha256Of(checksummed(contents)), name);
  }
  return { ...weightsOf(contents, name), path: name };
}

/** In hex. */
async function sha256Of(parts: readonly Uint8Array[]): Promise<string> {
  const bytes = await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
