/** What training makes small. */
import { positive } from "./values";

export const lossSettings = {
  /** ε of the Dice loss. */
  diceEpsilon: positive,
};
