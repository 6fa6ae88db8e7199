/** What training makes small. */
import { z } from "zod";
import { positive } from "./values";

const LOSSES = ["dice"] as const;

export const lossSettings = {
  loss: z.enum(LOSSES).default("dice"),
  /** ε of the Dice loss. */
  diceEpsilon: positive,
};
