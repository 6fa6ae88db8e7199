/** The options of `bun run train`: a function per theme, as the settings in src/train/settings. */
import type { Command } from "commander";
import { ADAPTER_OPTION } from "./command";
import {
  bytesOption,
  durationOption,
  listOption,
  mirrorOption,
  numberOption,
  numbersOption,
} from "./options";

function withRunOptions(command: Command): Command {
  return command
    .optionsGroup("The run:")
    .option("--data <dir>", "cohort in the MSSEG-2 layout; without it a phantom cohort is made")
    .option("--preset <name>", "paper, or small (default: small on a software adapter)")
    .option("--val <ids>", "patients that validate, by id, separated by commas", listOption)
    .option(
      "--folds <n>",
      "cross-validation: train n times, a run folder each in --out",
      numberOption,
    )
    .option("--fold <k>", "only fold k of them, from 0; alone: of 4 folds, one run", numberOption)
    .option("--out <dir>", "run folder to make (default: runs/<time>-<preset>)")
    .option("--resume <dir>", "go on with the run, or the cross-validation, in this folder")
    .option("--budget <time>", "training time, e.g. 20m or 3h", durationOption)
    .option("--iterations <n>", "iterations instead of a time", numberOption)
    .option("--seed <n>", "seed of the weights, the patches and the split", numberOption)
    .option("--validate-every <share>", "share of the budget between validations", numberOption)
    .option("--report-every <n>", "iterations between reports", numberOption);
}

function withNetworkOptions(command: Command): Command {
  return command
    .optionsGroup("Network and voxels:")
    .option("--spacing <mm>", "edge of the voxels that the network sees", numberOption)
    .option("--normalisation <how>", "z-normalise over the volume, nonzero voxels or a mask")
    .option("--patch <n>", "edge of a patch, voxels", numberOption)
    .option("--filters <a,b,c>", "filters of the three levels", numbersOption)
    .option("--groups <n>", "groups of the group norm", numberOption)
    .option("--no-align-corners", "upsample as align_corners=False does")
    .option("--difference", "give the network visit 2 − visit 1 as a third channel")
    .option("--head-prior <p>", "lesion probability that the untrained network says", numberOption);
}

function withMiningOptions(command: Command): Command {
  return command
    .optionsGroup("Sampling and mining:")
    .option("--sampler <name>", "ohem (mining) or uniform")
    .option("--positive <p>", "share of patches with a lesion among the sampled", numberOption)
    .option("--pool <n>", "B̄: patches ranked per iteration", numberOption)
    .option("--batch <n>", "B: patches trained on per iteration", numberOption)
    .option("--mu <m>", "momentum of the ranking network w̄", numberOption)
    .option("--no-mu-ramp", "use the momentum in full from the first iteration on");
}

function withLossOptions(command: Command): Command {
  return command
    .optionsGroup("Loss:")
    .option("--loss <name>", "what training makes small: dice")
    .option("--dice-epsilon <e>", "ε of the Dice loss", numberOption);
}

function withOptimisationOptions(command: Command): Command {
  return command
    .optionsGroup("Optimisation:")
    .option("--learning-rate <r>", "initial learning rate", numberOption)
    .option("--schedule <name>", "how it falls: step (the paper's), cosine or poly (nnU-Net's)")
    .option("--warm-up <share>", "share of the budget in which it rises first", numberOption)
    .option("--deep-supervision", "losses at the coarser levels of the decoder too");
}

function withAugmentationOptions(command: Command): Command {
  return command
    .optionsGroup("Augmentation:")
    .option("--time-reversal", "train on the time-swapped twins too (needs resolved.nii.gz)");
}

function withInferenceOptions(command: Command): Command {
  return command
    .optionsGroup("Inference, as `predict` will do it:")
    .option("--stride <n>", "stride of the inference windows, voxels", numberOption)
    .option("--window-weights <how>", "average overlapping windows uniform or gaussian")
    .option("--mirror <axes>", "average over mirrored windows, e.g. xyz, or none", mirrorOption);
}

function withDeviceOptions(command: Command): Command {
  return command
    .optionsGroup("Device:")
    .option(...ADAPTER_OPTION)
    .option("--chunk <n>", "most patches per dispatch: fewer take less memory", numberOption)
    .option("--recompute", "compute blocks again in the backward pass, to save memory")
    .option("--precision <p>", "f32, or f16 to store activations in half the memory")
    .option("--volume-precision <p>", "f32, or f16 for half the device memory")
    .option("--volume-budget <bytes>", "device memory for training volumes, e.g. 8G", bytesOption);
}

/** All of them, in the order of --help. */
export function withTrainOptions(command: Command): void {
  for (const withOptions of [
    withRunOptions,
    withNetworkOptions,
    withMiningOptions,
    withLossOptions,
    withOptimisationOptions,
    withAugmentationOptions,
    withInferenceOptions,
    withDeviceOptions,
  ]) {
    withOptions(command);
  }
}
