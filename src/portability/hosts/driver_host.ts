/** Hosts that compute with the drivers that their environment shows them: all but Chromium. */
import { join } from "node:path";
import { DriverUnavailable } from "../../platform/driver";
import { type DriverSource, driverSources } from "../../platform/vulkan";
import type { Host, HostAdapter, HostAdapters, HostName, HostWorker } from "../host";
import type { PlainAdapter } from "./entry/place";
import { opened, openingOf } from "./opening";
import { Unavailable } from "./packages";

export type Environment = Readonly<Record<string, string>>;

/**
 * Says what the adapters of a source of drivers do not say of themselves, each in its place, or in a
 * string why one is left out.
 */
export type Describe = (
  adapters: readonly PlainAdapter[],
  source: DriverSource["name"],
  env: Environment,
) => Promise<readonly (PlainAdapter | string)[]>;

/** What runs the program of a worker. */
export interface Runtime {
  readonly versions: Readonly<Record<string, string>>;
  /** Starts the module `worker` where the environment is seen; without an adapter it lists them. */
  start(env: Environment, worker: string, adapter?: string): Promise<HostWorker>;
  readonly describe?: Describe;
}

/** Where an adapter is found again. */
interface Place {
  readonly env: Environment;
  /** Its name in the worker. */
  readonly name: string;
}

const IDLE = join(import.meta.dir, "idle.ts");

export class DriverHost implements Host {
  private readonly places = new Map<string, Place>();
  private found: Promise<Runtime> | undefined;

  constructor(
    readonly name: HostName,
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
    const leftOut: string[] = [];
    for (const source of driverSources()) {
      if ([...found.values()].some(({ kind }) => kind === source.name)) continue;
      try {
        const env = await source.environment({ mayDownload: true, quiet: false });
        const plain = await this.list(env);
        const described = (await runtime.describe?.(plain, source.name, env)) ?? plain;
        for (const [i, adapter] of described.entries()) {
          if (typeof adapter === "string") leftOut.push(adapter);
          if (typeof adapter === "string" || found.has(adapter.name)) continue;
          found.set(adapter.name, { ...adapter, versions: runtime.versions });
          this.places.set(adapter.name, { env, name: plain[i]!.name });
        }
      } catch (error) {
        if (!(error instanceof DriverUnavailable || error instanceof Unavailable)) throw error;
        reasons.push(`${source.name}: ${error.message}`);
      }
    }
    // A system without drivers of its own is no news where others were brought.
    const missing = reasons.filter((why) => found.size === 0 || !why.startsWith("system: "));
    return {
      adapters: [...found.values()],
      reason: [...leftOut, ...missing].join("; ") || undefined,
    };
  }

  /** The adapters of the drivers that an environment shows. @throws Unavailable where there is none */
  async list(env: Environment): Promise<readonly PlainAdapter[]> {
    const worker = await (await this.runtime()).start(env, IDLE);
    const opening = await openingOf(worker);
    await worker.stop();
    if ("adapters" in opening && opening.adapters.length > 0) return opening.adapters;
    throw new Unavailable("failure" in opening ? opening.failure : "no adapter");
  }

  async start(adapter: HostAdapter, worker: string): Promise<HostWorker> {
    const place = this.places.get(adapter.name);
    if (!place) throw new Error(`${this.name}: ${adapter.name} is none of its adapters`);
    return opened(await (await this.runtime()).start(place.env, worker, place.name));
  }
}
