/** Settings of the preparation of a pair, before a network sees it. */
import { z } from "zod";
import { BIAS_MODES, REGISTER_MODES } from "./names";
import { NAME } from "./notation";
import { setting, theme } from "./setting";

export const pairSettings = theme("Pairs of visits", {
  /** Absent in runs of earlier versions, which took the visits as their headers say. */
  register: setting(
    NAME,
    z.enum(REGISTER_MODES).default("off"),
    "<when>",
    "put the visits on each other: auto (where they are not), always, or off (as the headers say)",
  ),
  /** Absent in runs of earlier versions, which left it. */
  bias: setting(
    NAME,
    z.enum(BIAS_MODES).default("off"),
    "<how>",
    "take the smooth difference in brightness between the visits out: auto, or off",
  ),
});
