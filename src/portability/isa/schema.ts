/** The JSON of `bun run bench isa`: `--json` writes it, `--compare` and `portability report --isa` read it. */
import { z } from "zod";
import { readJsonFile } from "../../platform/json_file";

/** Goes up when a reader of older files would misunderstand. */
export const ISA_VERSION = 1;

const count = z.number().int().min(0);

/** What a compiler made of one shader for one chip. */
const build = z.object({
  /** Registers of a lane, and of a wave. */
  vgprs: count,
  sgprs: count,
  spilledVgprs: count,
  spilledSgprs: count,
  /** Bytes of a lane in memory, and of a workgroup in LDS. */
  scratchBytes: count,
  ldsBytes: count,
  /** As RADV counts: of 32 lanes on RDNA, where a SIMD has 32, and of 64 on GCN. */
  wavesPerSimd: count,
  /** Of a wave of this shader. */
  lanes: count,
  codeBytes: count,
  instructions: count,
  /** Cycles of a wave, and of the SIMD for each wave, as the compiler estimates them. */
  latency: count,
  inverseThroughput: count,
});

const shader = z.object({
  id: z.string(),
  kernel: z.string(),
  variant: z.string().optional(),
  precision: z.enum(["f32", "f16"]),
  /** Families that run it without a choice of the tuner or the user. */
  defaultOn: z.array(z.string()),
  /** By family; null: the compiler died of it. A family without it does not launch it. */
  builds: z.record(z.string(), build.nullable()),
});

export const isaSchema = z.object({
  version: z.literal(ISA_VERSION),
  date: z.string(),
  /** RADV's version, and those of what was before it. */
  driver: z.string(),
  versions: z.record(z.string(), z.string()),
  families: z.array(z.object({ name: z.string(), architecture: z.string(), chip: z.string() })),
  shaders: z.array(shader),
});

export type IsaReport = z.infer<typeof isaSchema>;
export type IsaShader = z.infer<typeof shader>;
export type Build = z.infer<typeof build>;

/** @throws UserError where `file` is no such report */
export const readIsaReport = (file: string): IsaReport =>
  readJsonFile(file, isaSchema, "name a file of `bun run bench isa --json`, or compile again");
