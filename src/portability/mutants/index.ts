/** Every planted defect. */
import { barrierDefects } from "./barriers";
import { CONVOLUTIONS } from "./conv3d";
import type { Defect } from "./defect";
import { NORMS } from "./norm";
import { OTHERS } from "./others";
import { REGISTRATION } from "./registration";
import { TRAINING } from "./training";

export const DEFECTS: readonly Defect[] = [
  ...CONVOLUTIONS,
  ...NORMS,
  ...OTHERS,
  ...REGISTRATION,
  ...TRAINING,
  ...barrierDefects(),
];
