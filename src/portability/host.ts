/**
 * Places where WebGPU runs. Each file of hosts/ is one: it says which adapters it offers on this machine
 * and starts a worker on one of them, a process (or a page) of its own that may crash without harm.
 */
import type { AdapterKind } from "../gpu/adapter";
import type { Device } from "../gpu/device";

/** Dawn in Bun, Dawn in Node, wgpu and Naga in Deno, Dawn in Chromium, wgpu and Naga in Firefox. */
export type HostName = "bun" | "node" | "deno" | "chromium" | "firefox";

/** An adapter of a host, as plain JSON: it is what a report says of the environment. */
export interface HostAdapter {
  /** The driver's name for it, e.g. `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  readonly kind: AdapterKind;
  readonly backend: string;
  /** Driver and version in the driver's own words; may be empty. */
  readonly driver: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Lanes per subgroup; null where there are none. */
  readonly subgroupSize: { readonly min: number; readonly max: number } | null;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  /** What runs there, e.g. `{ bun: "1.4.5", webgpu: "0.6.2" }`. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface HostAdapters {
  readonly adapters: readonly HostAdapter[];
  /** What is not there and why: of the whole host where `adapters` is empty, else of an adapter. */
  readonly reason?: string;
}

/** The exports of a worker's module; pure engine code, bundled for each host. */
export interface Worker {
  /** Answers messages until `receive` ends. Adapter and limits are `device.info`. */
  serve(
    device: Device,
    receive: AsyncIterable<unknown>,
    reply: (message: unknown) => void,
  ): Promise<void>;
}

export interface Host {
  readonly name: HostName;
  /** Never throws for what is missing; brings what it needs into the cache. */
  adapters(): Promise<HostAdapters>;
  /**
   * Starts the module `worker` (a path; it exports {@link Worker}'s `serve`) on an adapter.
   * @throws Error when the device does not open there
   */
  start(adapter: HostAdapter, worker: string): Promise<HostWorker>;
}

/** The end of a worker; `crash` is a signal, an exit code or a lost page. */
export interface WorkerEnd {
  readonly kind: "exit" | "crash" | "killed";
  /** One line: exit code or signal, and the last line on stderr. */
  readonly detail: string;
}

export interface HostWorker {
  /** Sends one JSON value. */
  send(message: unknown): void;
  /** JSON values from the worker; ends when the worker does. To be read once. */
  readonly messages: AsyncIterable<unknown>;
  readonly ended: Promise<WorkerEnd>;
  /** Kills the worker, whatever it is doing, and waits for its end. */
  stop(): Promise<void>;
}
