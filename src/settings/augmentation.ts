/** Settings of augmentation: more training data from the data at hand. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { readList } from "../terminal/read";
import { AUGMENTATIONS, type AugmentationPart } from "./names";
import { type Notation, NUMBER } from "./notation";
import { setting, theme, turnedOn } from "./setting";

/** `all`, `none` or names of parts. */
export const PARTS: Notation<readonly AugmentationPart[]> = {
  read(text) {
    if (text === "all") return [...AUGMENTATIONS];
    if (text === "none") return [];
    const names = readList(text);
    const unknown = names.find((name) => !AUGMENTATIONS.some((part) => part === name));
    if (unknown !== undefined) {
      throw new UserError(
        `there is no part ${unknown}; expected all, none, or some of ${AUGMENTATIONS.join(",")}.`,
      );
    }
    return AUGMENTATIONS.filter((part) => names.includes(part));
  },
  write(parts) {
    if (parts.length === 0) return "none";
    return parts.length === AUGMENTATIONS.length ? "all" : parts.join(",");
  },
};

export const augmentationSettings = theme("Augmentation", {
  augment: setting(
    PARTS,
    z.array(z.enum(AUGMENTATIONS)).default([]),
    "<parts>",
    `all, none, or some of ${AUGMENTATIONS.join(",")}`,
  ),
  /** They are made of the others (src/synthesis). */
  synthetic: setting(
    NUMBER,
    z.number().min(0).max(0.9).default(0),
    "<share>",
    "share of synthetic pairs among those that train",
  ),
  /** Of pairs made while it trains (src/synthesis), with --generate. */
  generatedShare: setting(
    NUMBER,
    z.number().min(0.01).max(0.99).default(0.5),
    "<share>",
    "with --generate: share of the patches that are of generated pairs",
  ),
  generatedPool: setting(
    NUMBER,
    z.number().int().min(1).max(64).default(8),
    "<n>",
    "with --generate: generated pairs on the device",
  ),
  generatedRefresh: setting(
    NUMBER,
    z.number().int().min(1).default(20),
    "<n>",
    "with --generate: iterations until one of them is replaced by a new one",
  ),
  timeReversal: turnedOn(
    z.boolean(),
    "each pair again with its visits swapped (needs resolved.nii.gz)",
  ),
});
