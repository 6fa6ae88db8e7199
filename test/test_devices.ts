/** The devices that tests run on: those that this machine has or can bring. */
import { UserError } from "../src/core/errors";
import type { Device } from "../src/gpu/device";
import { openDevice } from "../src/hosts/bun";

const opened = new Map<string, Promise<Device | undefined>>();

/**
 * One device an adapter, which all test files share: nobody destroys it. Undefined, with a plain message,
 * if there is none.
 */
export function testDevice(adapter: string): Promise<Device | undefined> {
  const device = opened.get(adapter) ?? open(adapter);
  opened.set(adapter, device);
  return device;
}

async function open(adapter: string): Promise<Device | undefined> {
  try {
    return await openDevice({ adapter, quiet: true });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (adapter !== "hardware") console.warn(`not tested on ${adapter}: ${error.message}`);
    return undefined;
  }
}

/** The default adapter, which every machine must have. */
export function defaultDevice(): Promise<Device> {
  return openDevice({ quiet: true });
}
