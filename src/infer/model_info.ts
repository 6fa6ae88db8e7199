/** The model that a weights file names: its fields, their bounds, and the versions of the file. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { parseJson } from "../core/json";
import type { Safetensors } from "../data/safetensors";
import type { UNetConfig } from "../nn/unet3d";
import { checkInference, inferenceSettings } from "../settings/inference";
import { BIAS_MODES, MIRRORS, WINDOW_WEIGHTS } from "../settings/names";
import { checkNetwork, networkSettings } from "../settings/network";
import { schemasOf } from "../settings/setting";

const { spacing, normalisation, patch, filters, groups, alignCorners } = schemasOf(networkSettings);
const { stride } = schemasOf(inferenceSettings);

const unetSchema = z.strictObject({
  inChannels: z.number(),
  filters,
  groups,
  epsilon: z.number().positive().max(1),
  alignCorners,
  recompute: z.boolean(),
});

/**
 * No field is unknown, and all are required but those that came later: a program that reads a file
 * knows all of it.
 */
const modelSchema = z.strictObject({
  unet: unetSchema,
  /** Edge of the voxels that the network sees, mm. */
  spacing,
  /** Edge of a window and stride of the grid of windows, voxels. */
  patch,
  stride,
  normalisation,
  /** The third input channel is visit 2 − visit 1. */
  difference: z.boolean(),
  /** How overlapping windows are weighted. */
  windowWeights: z.enum(WINDOW_WEIGHTS),
  /** Axes to mirror and average over; "": none. */
  mirror: z.enum(MIRRORS),
  /** Whether pairs had the bias between their visits taken out; absent: nobody knows. */
  bias: z.enum(BIAS_MODES).optional(),
});

/** Files of the first version may be older than a field: it then means what was done before. */
const firstModelSchema = modelSchema.extend({
  unet: unetSchema.extend({ recompute: z.boolean().default(false) }),
  difference: z.boolean().default(false),
  windowWeights: z.enum(WINDOW_WEIGHTS).default("uniform"),
  mirror: z.enum(MIRRORS).default(""),
});

/** The settings that inference needs beside the weights; JSON in the metadata of a weights file. */
export type ModelInfo = Readonly<Omit<z.output<typeof modelSchema>, "unet">> & {
  readonly unet: UNetConfig;
};

/** Version of a weights file's metadata. Files of the second hold a checksum of their contents. */
export const VERSION = 2;
const FORMAT = /^voxgrad-([1-9]\d{0,8})$/;

/** Metadata of a weights file. */
export function weightsMetadata(info: ModelInfo): Record<string, string> {
  return { format: `voxgrad-${VERSION}`, model: JSON.stringify(info) };
}

/**
 * The version of a weights or state file of voxgrad.
 * @throws UserError when it is none, is newer than this program, or has lost its checksum
 */
export function versionOf({ metadata, sha256 }: Safetensors, file: string): number {
  const version = Number(FORMAT.exec(metadata.format ?? "")?.[1]);
  if (Number.isNaN(version)) {
    throw new UserError(
      `${file}: its metadata names no voxgrad model (format ${metadata.format ?? "missing"}, ` +
        `expected voxgrad-${VERSION}); give a weights file that \`bun run train\` wrote`,
    );
  }
  if (version > VERSION) {
    throw new UserError(
      `${file}: a newer version of voxgrad wrote it (format voxgrad-${version}, this one reads up to ` +
        `voxgrad-${VERSION}); use that version`,
    );
  }
  if (version >= 2 && sha256 === undefined) {
    throw new UserError(
      `${file}: holds no checksum, as all files of format voxgrad-${version} do: it was changed or is ` +
        "damaged; use another file",
    );
  }
  return version;
}

/** Lines for the user about a file of this version that was read. */
export function notesOf(version: number, file: string): string[] {
  if (version >= 2) return [];
  return [
    `${file}: an earlier version of voxgrad wrote it, without a checksum: damage would not be noticed`,
  ];
}

/**
 * The model in a weights file's metadata.
 * @throws UserError when a value lies outside what training allows, or says what this program does not know
 */
export function modelOf(
  { model }: Readonly<Record<string, string>>,
  version: number,
  file: string,
): ModelInfo {
  const schema = version >= 2 ? modelSchema : firstModelSchema;
  const remedy = "it is damaged, or another program wrote it: use another weights file";
  const info = parseJson(model ?? "", schema, `${file}: its model`, remedy);
  const fail = (problem: string): never => {
    throw new UserError(`${file}: its model cannot be: ${problem}; use another weights file`);
  };
  try {
    checkNetwork(info.unet);
    checkInference(info);
  } catch (error) {
    if (error instanceof UserError) fail(error.message);
    throw error;
  }
  const channels = info.difference ? 3 : 2;
  const { inChannels } = info.unet;
  if (inChannels !== channels) {
    fail(`${inChannels} input channels, ${channels} with difference ${info.difference}`);
  }
  return info;
}
