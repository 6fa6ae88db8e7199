/** Every part, in the order of the table. */
import { headers } from "./headers";
import { images } from "./images";
import { kills } from "./kills";
import { metadata } from "./metadata";
import { options } from "./options";
import type { Part } from "./part";
import { weights } from "./weights";

export const PARTS: readonly Part[] = [images, headers, weights, metadata, options, kills];
