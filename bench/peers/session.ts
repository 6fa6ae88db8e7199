/** A run: voxgrad and every chosen peer, each in its own process, through all works. */
import { join } from "node:path";
import { UserError } from "../../src/core/errors";
import { writeInputs } from "./inputs";
import { locked } from "./lock";
import { type Hold, measure, prepare, type Reference } from "./measure";
import { EngineProcess } from "./process";
import type { Hello, MemoryUse, PrepareRequest, Variant } from "./protocol";
import { commandOf, type EngineOptions, type Peer } from "./registry";
import type { Row } from "./table";
import { type Work, workName } from "./works";

export interface Settings extends EngineOptions {
  /** Temporary folder for inputs and results. */
  readonly folder: string;
  /** Seconds for the turns of one row. */
  readonly seconds: number;
  /** Called after each row. */
  readonly onRow?: () => void;
  /** See lock.ts. */
  readonly lock?: string;
}

/** A peer that was started, or why it is not there. */
interface Started {
  readonly peer: Peer;
  readonly version: string;
  readonly variants: readonly Variant[];
  readonly reason?: string;
  process?: EngineProcess;
}

export class Session {
  readonly rows: Row[] = [];
  private readonly started: Started[] = [];
  private readonly hold: Hold = (body) => locked(this.settings.lock, body);

  private constructor(
    private readonly settings: Settings,
    private readonly ours: EngineProcess,
    private readonly ourVersion: string,
  ) {}

  /** Starts voxgrad. @throws UserError when it does not run */
  static async open(settings: Settings): Promise<Session> {
    const ours = new EngineProcess(commandOf("voxgrad.ts", settings));
    const hello = await ours.ask<Hello>({ do: "hello" });
    if ("unavailable" in hello) {
      ours.close();
      throw new UserError(hello.unavailable);
    }
    return new Session(settings, ours, hello.version);
  }

  get versions(): string[] {
    return [this.ourVersion, ...this.started.map(({ version }) => version)];
  }

  private spawn({ script }: Peer): EngineProcess {
    return new EngineProcess(commandOf(script, this.settings));
  }

  /** @param wanted whether a variant of this name is to be measured */
  async startPeer(peer: Peer, wanted: (variant: string) => boolean): Promise<void> {
    const process = this.spawn(peer);
    try {
      const hello = await this.hold(() => process.ask<Hello>({ do: "hello" }));
      if ("unavailable" in hello) return this.addMissing(peer, hello.unavailable);
      const variants = hello.variants.filter(({ name }) => wanted(name));
      this.started.push({ peer, version: hello.version, variants, process });
    } catch (error) {
      this.addMissing(peer, error instanceof Error ? error.message : String(error));
    }
  }

  /** A peer that gets rows with a reason instead of times. */
  addMissing(peer: Peer, reason: string): void {
    const variants = [{ name: "default", reduced: false }];
    this.started.push({ peer, version: `${peer.title}: ${reason}`, variants, reason });
  }

  /** Measures one work on those peers that `takes` names. */
  async work(work: Work, takes: (peer: Peer) => boolean): Promise<void> {
    const { folder } = this.settings;
    const inputs = await writeInputs(folder, work);
    const outputs = join(folder, "ours.safetensors");
    const request = { do: "prepare" as const, work, variant: "default", inputs };
    await this.hold(() => prepare(this.ours, { ...request, outputs }));
    const memory = (await this.ours.ask<MemoryUse>({ do: "memory" })) as MemoryUse;
    const reference = { engine: this.ours, outputs };
    for (const each of this.started.filter(({ peer }) => takes(peer))) {
      for (const variant of each.variants) {
        if (variant.kinds && !variant.kinds.includes(work.kind)) continue;
        const outputs = join(folder, "peer.safetensors");
        const asked = { ...request, variant: variant.name, outputs };
        await this.row(each, variant, asked, reference, memory.peak);
      }
    }
    await this.ours.ask({ do: "release" });
  }

  private async row(
    each: Started,
    variant: Variant,
    request: PrepareRequest,
    reference: Reference,
    ourBytes: number | undefined,
  ): Promise<void> {
    const { peer, reason } = each;
    const { name: engine, title } = peer;
    const { name, reduced } = variant;
    const row = { work: request.work, engine, title, variant: name, reduced, ourBytes };
    if (reason) {
      this.add({ ...row, status: "unavailable", reason });
      return;
    }
    if (!each.process?.alive) {
      each.process = this.spawn(peer);
      await each.process.ask({ do: "hello" });
    }
    const { seconds } = this.settings;
    const measured = measure(reference, each.process, request, variant, seconds, this.hold);
    this.add({ ...row, ...(await measured) });
  }

  private add(row: Row): void {
    this.rows.push(row);
    const { peer, ours, reason, status } = row;
    const times = peer && ours ? ` ${peer.ms.toFixed(1)} ms, voxgrad ${ours.ms.toFixed(1)} ms` : "";
    const why = reason ? `: ${reason}` : "";
    const what = `${workName(row.work)}, ${row.title}, ${row.variant}`;
    process.stderr.write(`${what}: ${status}${times}${why}\n`);
    this.settings.onRow?.();
  }

  close(): void {
    this.ours.close();
    for (const { process } of this.started) process?.close();
  }
}
