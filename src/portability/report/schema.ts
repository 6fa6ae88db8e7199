/** The JSON report, versioned: `--json` writes it, `--resume` and `--compare` read it. */
import { z } from "zod";

export const FORMAT = "voxgrad portability report";
export const VERSION = 1;

/** Why a case did not pass; `skipped` is none. */
export const STATUSES = [
  "passed",
  "failed",
  "refused",
  "crashed",
  "hung",
  "lost",
  "skipped",
] as const;

const status = z
  .enum(STATUSES)
  .describe(
    "failed: wrong values; refused: the implementation threw an error; crashed: its process or page " +
      "ended; hung: no answer in time; lost: the device was lost; skipped: not run, see reason",
  );

const result = z.object({
  id: z.string().describe("row/case@seed"),
  status,
  /** Absent where nothing was compared, or where it is infinite. */
  worst: z.number().optional().describe("largest error in units of its bound; absent: infinite"),
  seconds: z.number().describe("in the worker, compiling included"),
  faults: z.array(z.string()).optional().describe("what is wrong, a line each"),
  note: z.string().optional().describe("a fact about the adapter"),
  /** The result is that of a run by itself, afterwards. */
  beside: status.optional().describe("how it ended a worker that ran beside others"),
  reason: z.string().optional().describe("why it was skipped"),
  /** How it came out in a worker of its own, where it had ended the first one. */
  alone: status.optional().describe("how a second try, in a fresh worker, came out"),
});

const environment = z.object({
  name: z.string(),
  kind: z.string(),
  backend: z.string(),
  driver: z.string(),
  vendor: z.string(),
  architecture: z.string(),
  subgroupSize: z.object({ min: z.number(), max: z.number() }).nullable(),
  limits: z.record(z.string(), z.number()),
  features: z.array(z.string()),
  versions: z.record(z.string(), z.string()).describe("what runs there, by name"),
});

const column = z.object({
  implementation: z.string(),
  adapter: environment,
  seconds: z.number(),
  commits: z
    .array(z.string())
    .optional()
    .describe("of voxgrad: that of each run that gave results, the last one last"),
  complete: z.boolean().describe("false: interrupted, or still running"),
  skipped: z.array(z.object({ row: z.string(), reason: z.string() })),
  results: z.array(result),
});

export const reportSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  started: z.iso.datetime(),
  voxgrad: z.object({ version: z.string(), commit: z.string().optional() }),
  machine: z.object({
    os: z.string(),
    processor: z.string(),
    cores: z.number(),
    memoryBytes: z.number(),
  }),
  options: z.object({ short: z.boolean(), seed: z.number(), cases: z.array(z.string()) }),
  columns: z.array(column),
  missing: z
    .array(z.object({ implementation: z.string(), reason: z.string() }))
    .describe("implementations and adapters that are not there, and why"),
});

export type Report = z.infer<typeof reportSchema>;
export type Column = z.infer<typeof column>;
export type Result = z.infer<typeof result>;
export type Status = z.infer<typeof status>;

/** For docs/engine/portability.schema.json. */
export const jsonSchema = (): unknown => z.toJSONSchema(reportSchema);

/** `bun × llvmpipe (LLVM 15.0.6, 256 bits)`: what names a column. */
export const columnName = ({ implementation, adapter }: Column): string =>
  `${implementation} × ${adapter.name}`;

export const rowOf = (id: string): string => id.slice(0, id.lastIndexOf("/"));
