/** Hosts whose workers are processes: Bun, Node and Deno. */
import type { HostName } from "../host";
import { type Program, workerProgram } from "./bundle";
import { type Describe, DriverHost, type Environment } from "./driver_host";
import { WorkerProcess } from "./worker_process";

/** The command and environment that run a program in a place. */
export interface Command {
  /** The command line before the program's path. */
  readonly command: readonly string[];
  readonly env?: Environment;
  readonly versions: Readonly<Record<string, string>>;
  readonly describe?: Describe;
}

/** @param find finds or brings the runtime. @throws Unavailable where it cannot be had */
export function processHost(
  name: HostName & Program["place"],
  find: () => Promise<Command>,
): DriverHost {
  return new DriverHost(name, async () => {
    const { command, env: own, versions, describe } = await find();
    return {
      ...{ versions, describe },
      async start(env, worker, adapter) {
        const path = await workerProgram({ place: name, worker });
        const args = adapter === undefined ? [] : [adapter];
        return new WorkerProcess([...command, path, ...args], { ...own, ...env });
      },
    };
  });
}
