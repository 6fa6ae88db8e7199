/** A reader's decisions on a result, `decisions.json`: what was decided of each lesion, by whom and when. */
import { z } from "zod";

/** It rises when a name or a meaning changes. */
export const DECISIONS_FORMAT = 1;

export const DECISIONS = ["open", "accepted", "rejected"] as const;
export type Decision = (typeof DECISIONS)[number];

/** What a reader did, in the order in which it was done. */
export const ACTIONS = [
  ...(["accept", "reject", "reopen", "note", "draw", "erase"] as const),
  ...(["undo", "finish", "resume"] as const),
] as const;

const text = z.string().max(4000);
const time = z.string().max(40);

export const decisionsSchema = z.object({
  format: z.literal(DECISIONS_FORMAT),
  /** `created` of the result that they are about. */
  result: time,
  /** Names and hashes of the weights of that result. */
  weights: z.array(z.object({ name: text, sha256: text })),
  /** Initials; "" where none were given. */
  reader: text,
  /** When the reader was done with the patient; null while not. */
  finished: time.nullable(),
  lesions: z.array(
    z.object({
      /** Of the result; above its lesions: drawn by the reader. */
      id: z.number().int().positive(),
      decision: z.enum(DECISIONS),
      note: text,
      /** Of what a reader drew: one of its voxels in the mask, by which it is found again. */
      seed: z.number().int().nonnegative().optional(),
    }),
  ),
  log: z.array(
    z.object({
      time,
      action: z.enum(ACTIONS),
      lesion: z.number().int().positive().optional(),
      reader: text,
      /** Drawn or erased. */
      voxels: z.number().int().nonnegative().optional(),
      /** Of a note: its text. */
      text: text.optional(),
    }),
  ),
});

export type Decisions = Readonly<z.output<typeof decisionsSchema>>;
export type LesionDecision = Readonly<Decisions["lesions"][number]>;
export type LogEntry = Readonly<Decisions["log"][number]>;

/** For a list of patients. */
export type ReadingState = "new" | "begun" | "done";

export function readingState(decisions: Decisions | undefined): ReadingState {
  if (!decisions) return "new";
  return decisions.finished === null ? "begun" : "done";
}
