/**
 * Loaded before a command (`bun --preload`): kills the process as it is about to give a file its name.
 * KILL_AT is that moment: `last.safetensors 2`, the second file of that name, or `* 7`, the seventh of
 * any name. COUNT_IN is a file that gets a line for every file that got its name.
 */
import { mock } from "bun:test";
import * as fs from "node:fs";
import { basename } from "node:path";

const { KILL_AT = "", COUNT_IN } = process.env;
const [wanted, nth] = KILL_AT.split(" ");
let count = 0;

const { renameSync } = fs;
mock.module("node:fs", () => ({
  ...fs,
  renameSync: (from: string, to: string) => {
    if (wanted === "*" || basename(to) === wanted) count++;
    if (count === Number(nth)) process.kill(process.pid, "SIGKILL");
    renameSync(from, to);
    if (COUNT_IN) fs.appendFileSync(COUNT_IN, `${basename(to)}\n`);
  },
}));
