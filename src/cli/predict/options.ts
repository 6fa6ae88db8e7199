/** The options that hold for every pair: of `predict`, for one or for a cohort, and of `bids`. */
import { type Command, Option } from "commander";
import { type TuneFlags, withTuneOptions } from "../../choose/tune_options";
import type { Precision } from "../../core/tensor";
import type { LesionRule } from "../../decision/found_lesions";
import { OPERATING_POINTS, type OperatingPointName } from "../../decision/operating_points";
import type { ModelChanges } from "../../run/models";
import { ANSWER_GRIDS, type AnswerGrid } from "../../run/placed_pair";
import { MIRROR } from "../../settings/inference";
import {
  BIAS_MODES,
  type BiasMode,
  REGISTER_MODES,
  type RegisterMode,
  WINDOW_WEIGHTS,
} from "../../settings/names";
import { ADAPTER_OPTION } from "../../terminal/command";
import {
  countOption,
  nonNegativeOption,
  optionParser,
  pathsOption,
  probabilityOption,
} from "../../terminal/options";

export interface PairOptions extends TuneFlags, Partial<LesionRule>, ModelChanges {
  readonly weights?: string[];
  readonly operatingPoint: OperatingPointName;
  readonly brain: string;
  readonly precision: Precision;
  readonly batch?: number;
  readonly register: RegisterMode;
  readonly bias?: BiasMode;
  readonly grid: AnswerGrid;
  readonly strict: boolean;
  readonly adapter?: string;
}

/** Exit code of --strict where two visits are not fit to be compared. */
export const NOT_FIT = 3;

/** @param grid the default of --grid */
export function withPairOptions(program: Command, grid: AnswerGrid = "t1"): void {
  program
    .option(
      "-w, --weights <files>",
      "weights files, or folders of runs or of a cross-validation, separated by commas: the mean " +
        "of their probabilities; shipped for those that come with voxgrad, none for a statistic " +
        "(default: the best of the newest run in runs/, else shipped, else none)",
      pathsOption,
    )
    .addOption(
      new Option(
        "--operating-point <name>",
        "rule for lesions, of weights that are calibrated: as tuned, sensitive, or with few false alarms",
      )
        .choices(OPERATING_POINTS)
        .default("default" satisfies OperatingPointName),
    )
    .option(
      "--brain <mask>",
      "brain mask that keeps eyes, scalp and neck out: auto (looked for in both visits), off, or a " +
        "file, a mask of the first visit; weights trained with --normalisation mask need the file",
      "auto",
    )
    .option(
      "--threshold <p>",
      "probability from which a voxel is lesion (default: as tuned in training, else 0.5)",
      probabilityOption,
    )
    .option(
      "--min-lesion-volume <mm3>",
      "drop components of this volume or less (default: as tuned in training, else 3)",
      nonNegativeOption,
    )
    .option(
      "--stride <n>",
      "stride of the windows, voxels (default: as the weights file says)",
      countOption,
    )
    .addOption(
      new Option(
        "--window-weights <how>",
        "average overlapping windows alike, or by their centres (default: as the weights file says)",
      ).choices(WINDOW_WEIGHTS),
    )
    .option(
      "--mirror <axes>",
      "average over mirrored windows: axes such as xyz (8 runs), or none (default: as the file says)",
      optionParser(MIRROR.read),
    )
    .addOption(
      new Option("--precision <p>", "how activations are stored: f16 takes half the memory")
        .choices(["f32", "f16"])
        .default("f32"),
    )
    .addOption(
      new Option(
        "--register <when>",
        "put the visits on each other: auto (where they are not), always, or off (as the headers say)",
      )
        .choices(REGISTER_MODES)
        .default("auto" satisfies RegisterMode),
    )
    .addOption(
      new Option(
        "--bias <how>",
        "take the smooth difference in brightness between the visits out: auto, or off (default: as the " +
          "weights were trained, else auto)",
      ).choices(BIAS_MODES),
    )
    .addOption(
      new Option(
        "--grid <which>",
        "grid of the mask: of the first visit, the second, or between them",
      )
        .choices(ANSWER_GRIDS)
        .default(grid),
    )
    .option("--batch <n>", "most windows per run of a network (default: as tuned)", countOption)
    .option("--strict", "exit code 3 where two visits are not fit to be compared", false)
    .option(...ADAPTER_OPTION);
  withTuneOptions(program);
}
