/**
 * Loaded before a training (`--preload`, for its child processes by BUN_OPTIONS): its device is lost, as
 * by a reset of the driver. LOSE_IN is the run folder; LOSE names the moments, one for each process
 * that opens a device: `checkpoint` (this process has saved a new one), `begin` (it trains in the folder), or
 * `never`.
 */
import { mock } from "bun:test";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as host from "../../src/hosts/bun";
import { savedIteration } from "../../src/run/checkpoint";

const { LOSE = "", LOSE_IN = "" } = process.env;
const began = savedIteration({ path: LOSE_IN });
const counter = `${LOSE_IN}.opened`;

const moments: Readonly<Record<string, () => boolean>> = {
  checkpoint: () => savedIteration({ path: LOSE_IN }) > began,
  begin: () => existsSync(join(LOSE_IN, "choices.json")),
  never: () => false,
};

const { openDevice } = host;
mock.module("../../src/hosts/bun", () => ({
  ...host,
  openDevice: async (options: host.DeviceOptions) => {
    const device = await openDevice(options);
    const before = existsSync(counter) ? readFileSync(counter, "utf8").length : 0;
    appendFileSync(counter, ".");
    const isNow = moments[LOSE.split(",")[before] ?? "never"]!;
    const timer = setInterval(() => {
      if (!isNow()) return;
      clearInterval(timer);
      device.device.destroy(); // not by `Device.destroy`: nobody here has asked for it
    }, 5);
    timer.unref();
    return device;
  },
}));
