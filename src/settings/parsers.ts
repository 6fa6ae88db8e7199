/** Parsers for the values of settings that are lists of names. */
import { InvalidArgumentError } from "commander";
import { listOption } from "../terminal/options";
import { AUGMENTATIONS, type AugmentationPart, MIRRORS, type Mirror } from "./names";

/** `xyz`, `x`, or `none` → "". */
export function mirrorOption(text: string): Mirror {
  const axes = text === "none" ? "" : [...new Set(text)].sort().join("");
  const mirror = MIRRORS.find((known) => known === axes);
  if (mirror !== undefined && text !== "") return mirror;
  throw new InvalidArgumentError("expected axes such as x or xyz, or none.");
}

/** `all`, `none` or names of parts → parts. */
export function augmentOption(text: string): AugmentationPart[] {
  if (text === "all") return [...AUGMENTATIONS];
  if (text === "none") return [];
  const names = listOption(text);
  const unknown = names.find((name) => !AUGMENTATIONS.some((part) => part === name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `there is no part ${unknown}; expected all, none, or some of ${AUGMENTATIONS.join(",")}.`,
    );
  }
  return AUGMENTATIONS.filter((part) => names.includes(part));
}
