/** Hosts whose workers are processes: Bun, Node and Deno. */
import { join } from "node:path";
import { DriverUnavailable } from "../../platform/driver";
import { driverSources } from "../../platform/vulkan";
import type { Host, HostAdapter, HostAdapters, HostName, HostWorker } from "../host";
import { type Program, workerProgram } from "./bundle";
import type { PlainAdapter } from "./entry/place";
import { opened, openingOf } from "./opening";
import { Unavailable } from "./packages";
import { WorkerProcess } from "./worker_process";

/** The command and environment that run a program in a place. */
export interface Runtime {
  /** The command line before the program's path. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string>>;

const IDLE = join(import.meta.dir, "idle.ts");

export class ProcessHost implements Host {
  private readonly environments = new Map<string, Environment>();
  private found: Promise<Runtime> | undefined;

  constructor(
    readonly name: HostName & Program["place"],
    /** Finds or brings the runtime. @throws Unavailable where it cannot be had */
    private readonly find: () => Promise<Runtime>,
  ) {}

  private runtime(): Promise<Runtime> {
    this.found ??= this.find();
    return this.found;
  }

  /** Those of the system's drivers, and of lavapipe and SwiftShader, which are brought. */
  async adapters(): Promise<HostAdapters> {
    let runtime: Runtime;
    try {
      runtime = await this.runtime();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return { adapters: [], reason: error.message };
    }
    const found = new Map<string, HostAdapter>();
    const reasons: string[] = [];
    for (const source of driverSources()) {
      if ([...found.values()].some(({ kind }) => kind === source.name)) continue;
      try {
        const env = await source.environment({ mayDownload: true, quiet: false });
        for (const adapter of await this.list(runtime, env)) {
          if (found.has(adapter.name)) continue;
          found.set(adapter.name, { ...adapter, versions: runtime.versions });
          this.environments.set(adapter.name, env);
        }
      } catch (error) {
        if (!(error instanceof DriverUnavailable || error instanceof Unavailable)) throw error;
        reasons.push(`${source.name}: ${error.message}`);
      }
    }
    // A system without drivers of its own is no news where others were brought.
    const missing = reasons.filter((why) => found.size === 0 || !why.startsWith("system: "));
    return { adapters: [...found.values()], reason: missing.join("; ") || undefined };
  }

  private async list(runtime: Runtime, env: Environment): Promise<readonly PlainAdapter[]> {
    const worker = await this.spawn(runtime, env, IDLE);
    const opening = await openingOf(worker);
    await worker.stop();
    if ("adapters" in opening && opening.adapters.length > 0) return opening.adapters;
    throw new Unavailable("failure" in opening ? opening.failure : "no adapter");
  }

  async start(adapter: HostAdapter, worker: string): Promise<HostWorker> {
    const env = this.environments.get(adapter.name);
    if (!env) throw new Error(`${this.name}: ${adapter.name} is none of its adapters`);
    return opened(await this.spawn(await this.runtime(), env, worker, adapter.name));
  }

  private async spawn(runtime: Runtime, env: Environment, worker: string, ...args: string[]) {
    const path = await workerProgram({ place: this.name, worker });
    const all = { ...runtime.env, ...env };
    return new WorkerProcess([...runtime.command, path, ...args], all);
  }
}
