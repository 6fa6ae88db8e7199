import { UserError } from "../core/errors";
import { destroyDevices } from "../gpu/device";

/**
 * Runs a command: a {@link UserError} becomes one line on stderr and exit code 2, any other error
 * keeps its stack and becomes exit code 1. Devices that are still open are destroyed at the end.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (error instanceof UserError) {
      console.error(`voxgrad: ${error.message}`);
      process.exitCode = 2;
    } else {
      console.error(error);
      process.exitCode = 1;
    }
  } finally {
    destroyDevices();
  }
}
