/** How the weights follow the gradient. */
import { positive } from "./values";

export const optimisationSettings = {
  learningRate: positive,
};
