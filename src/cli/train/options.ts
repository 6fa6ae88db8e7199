/** The options of `bun run train`: a function per theme, as the settings in src/settings. */
import { type Command, Option } from "commander";
import { LOSSES } from "../../settings/loss";
import { MINING_ERRORS } from "../../settings/mining";
import { AUGMENTATIONS } from "../../settings/names";
import { augmentOption, mirrorOption } from "../../settings/parsers";
import { ADAPTER_OPTION } from "../../terminal/command";
import {
  bytesOption,
  durationOption,
  listOption,
  numberOption,
  numbersOption,
} from "../../terminal/options";

/** A setting that is on or off, so that what a preset turns on can be turned off by `--no-…`. */
function withFlag(command: Command, name: string, description: string): Command {
  return command
    .option(`--${name}`, `${description} (off: --no-${name})`)
    .addOption(new Option(`--no-${name}`).hideHelp());
}

function withRunOptions(command: Command): Command {
  return command
    .optionsGroup("The run:")
    .option("--data <dir>", "cohort in the MSSEG-2 layout; without it a phantom cohort is made")
    .option("--train-data <dirs>", "more pairs that only train, e.g. of `synthesise`", listOption)
    .option(
      "--preset <name>",
      "paper or best, for software adapters small or best-small (default: paper or small)",
    )
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
  command
    .optionsGroup("Network and voxels:")
    .option("--spacing <mm>", "edge of the voxels that the network sees", numberOption)
    .option("--normalisation <how>", "z-normalise over the volume, nonzero voxels or a mask")
    .option("--patch <n>", "edge of a patch, voxels", numberOption)
    .option("--filters <a,b,c>", "filters of the three levels", numbersOption)
    .option("--groups <n>", "groups of the group norm", numberOption)
    .option("--no-align-corners", "upsample as align_corners=False does")
    .option("--head-prior <p>", "lesion probability that the untrained network says", numberOption);
  return withFlag(command, "difference", "visit 2 − visit 1 as a third channel");
}

function withMiningOptions(command: Command): Command {
  return command
    .optionsGroup("Sampling and mining:")
    .option("--sampler <name>", "ohem (mining) or uniform")
    .option("--positive <p>", "share of patches with a lesion among the sampled", numberOption)
    .option("--pool <n>", "B̄: patches ranked per iteration", numberOption)
    .option("--batch <n>", "B: patches trained on per iteration", numberOption)
    .option("--mining-error <name>", `what patches are ranked by: ${MINING_ERRORS.join(", ")}`)
    .option(
      "--topk-percent <k>",
      "topk-ce: share of a patch's voxels in percent (10)",
      numberOption,
    )
    .option("--selection <how>", "top, or proportional: B drawn in proportion to their errors")
    .option("--positive-quota <p>", "share of positive patches among the selected", numberOption)
    .option("--telemetry <how>", "basic, or full: more about the selection, once a report")
    .option("--mu <m>", "momentum of the ranking network w̄", numberOption)
    .option("--no-mu-ramp", "use the momentum in full from the first iteration on");
}

function withLossOptions(command: Command): Command {
  return command
    .optionsGroup("Loss:")
    .option("--loss <name>", `what training makes small: ${LOSSES.join(", ")}`)
    .option("--dice-epsilon <e>", "ε of Dice and Tversky, voxels", numberOption)
    .option("--dice-weight <w>", "weight of Dice beside cross-entropy (1)", numberOption)
    .option("--ce-weight <w>", "weight of cross-entropy beside Dice (1)", numberOption)
    .option("--ce-lesion-weight <w>", "weight of lesion voxels in cross-entropy (1)", numberOption)
    .option("--focal-alpha <a>", "focal: weight α of lesion voxels (0.25)", numberOption)
    .option("--focal-gamma <g>", "focal: power γ (2)", numberOption)
    .option("--tversky-alpha <a>", "Tversky: weight α of false positives (0.3)", numberOption)
    .option("--tversky-beta <b>", "Tversky: weight β of false negatives (0.7)", numberOption)
    .option("--tversky-gamma <g>", "focal Tversky: γ of the power 1/γ (4/3)", numberOption)
    .option("--blob-alpha <a>", "blob: weight α of the whole patch's loss (2)", numberOption)
    .option("--blob-beta <b>", "blob: weight β of the lesions' own losses (1)", numberOption);
}

function withOptimisationOptions(command: Command): Command {
  command
    .optionsGroup("Optimisation:")
    .option("--learning-rate <r>", "initial learning rate", numberOption)
    .option("--schedule <name>", "how it falls: step (the paper's), cosine or poly (nnU-Net's)")
    .option("--warm-up <share>", "share of the budget in which it rises first", numberOption);
  return withFlag(command, "deep-supervision", "losses at the coarser levels of the decoder too");
}

function withAugmentationOptions(command: Command): Command {
  command
    .optionsGroup("Augmentation:")
    .option("--augment <parts>", `all, none, or some of ${AUGMENTATIONS.join(",")}`, augmentOption)
    .option("--synthetic <share>", "share of synthetic pairs among those that train", numberOption);
  return withFlag(command, "time-reversal", "time-swapped twins too (needs resolved.nii.gz)");
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
