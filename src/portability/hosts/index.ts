/** Every host, in the order of the report's columns. */
import type { Host } from "../host";
import { bun } from "./bun";
import { chromium } from "./chromium";
import { deno } from "./deno";
import { firefox } from "./firefox";
import { node } from "./node";

export const hosts: readonly Host[] = [bun, node, deno, chromium, firefox];
