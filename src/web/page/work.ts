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
import { comparePair, type ToldPair } from "../../run/compared_pair";
import { biasFor } from "../../run/named_weights";
import type { Observer } from "../../run/observer";
import { checkModels, type PairRequest, predictRead } from "../../run/predict_read";
import { resultOfAnswer } from "../../run/result_of_pair";
import type { BiasMode } from "../../settings/names";
import type { Metrics } from "../../train/metrics";
import { type LearnStart, learn } from "./learn";
import type { Learned, LearnRequest, PredictRequest, Scans, WeightsFile } from "./protocol";
import { sha256Of } from "./sha256";

/** As `predict` without options. */
const LIKE_PREDICT = { precision: "f32", grid: "t1", withVisits: true } as const;

/** What is known of the pair that was compared last. */
interface Compared {
  readonly pair: number;
  readonly bias: BiasMode;
  readonly told: ToldPair;
}

export class Work {
  private compared: Compared | undefined;

  private constructor(
    readonly memory: Memory,
    private models: readonly LearnStart[],
  ) {}

  /** @throws UserError for a weights file that is damaged or of another program */
  static async open(device: Device, files: readonly WeightsFile[]): Promise<Work> {
    return new Work(new Memory(device), await Promise.all(files.map(readWeights)));
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
    { scans, patient, pair, weights }: PredictRequest,
    observer: Observer,
    signal?: AbortSignal,
  ): Promise<Result> {
    if (weights) await this.use(weights);
    const { memory, models } = this;
    const request: PairRequest = { ...LIKE_PREDICT, models };
    const bias = checkModels(request, observer);
    const compared = await this.compare(pair, scans, bias, observer);
    const read = {
      images: [...scans] as [Scans[0], Scans[1]],
      acquisitions: scans.map(({ acquisition }) => acquisition),
      brain: "auto",
      compared,
    } as const;
    const predictor = { request, memory, choices: {}, bias };
    const answer = await predictRead(predictor, read, observer, signal);
    const [t1, t2] = [scans[0].path, scans[1].path];
    const used = models.map(({ path: name, sha256 }) => ({ name, sha256 }));
    return resultOfAnswer(answer, used, { patient, t1, t2, grid: LIKE_PREDICT.grid });
  }

  /**
   * Trains one network further on a pair that a reader corrected; it is not used before it is asked for.
   * @throws UserError as `learn`
   */
  async learn(
    { scans, pair, start, ...request }: LearnRequest,
    observer: Observer,
    told: (metrics: Metrics) => void,
    signal: AbortSignal,
  ): Promise<Learned> {
    const loaded = await readWeights(start);
    const bias = biasFor([loaded], undefined, (line) => observer.note(line));
    const { placed } = await this.compare(pair, scans, bias, observer);
    return learn(this.memory, { ...request, start: loaded, placed }, told, signal);
  }

  private async use(files: readonly WeightsFile[]): Promise<void> {
    const named = (all: readonly { readonly sha256: string }[]) =>
      all.map(({ sha256 }) => sha256).join();
    if (named(files) !== named(this.models)) {
      this.models = await Promise.all(files.map(readWeights));
    }
  }

  /** Both visits made comparable; once for each pair. */
  private async compare(
    pair: number,
    scans: Scans,
    bias: BiasMode,
    observer: Observer,
  ): Promise<ToldPair> {
    const known = this.compared;
    if (known?.pair === pair && known.bias === bias) {
      observer.onStage?.("registration");
      return known.told;
    }
    const told = await comparePair(this.memory, scans, { bias, brain: "auto" }, observer);
    this.compared = { pair, bias, told };
    return told;
  }
}

async function readWeights({ name, sha256, bytes }: WeightsFile): Promise<LearnStart> {
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
  return { ...weightsOf(contents, name), path: name, sha256, metadata: contents.metadata };
}
