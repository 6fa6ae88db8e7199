/** Every part, in the order of the table. */
import { cache } from "./cache";
import { endurance } from "./endurance";
import { filling } from "./filling";
import { headers } from "./headers";
import { images } from "./images";
import { kills } from "./kills";
import { metadata } from "./metadata";
import { network, offline } from "./network";
import { options } from "./options";
import { disks, rights, stdout } from "./outputs";
import type { Part } from "./part";
import { predict } from "./predict";
import { together } from "./together";
import { weights } from "./weights";

export const PARTS: readonly Part[] = [
  ...[images, predict, headers, weights, metadata, cache, options],
  ...[disks, filling, rights, stdout, together, kills],
  ...[network, offline, endurance],
];
