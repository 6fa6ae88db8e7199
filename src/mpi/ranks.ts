/** The ranks of a training: its collective operations, and what keeps them from waiting for ever. */
import { randomUUID } from "node:crypto";
import { Deadline } from "../platform/deadline";
import type { EndSignal } from "../platform/interruption";
import { Communicator } from "./communicator";
import { checkLine, type Launch } from "./launch";
import { type Door, localRank, ownAddresses, type Place, thisPlace } from "./places";
import { type Beat, type RankLost, Watch } from "./watch";

/** Seconds for which rank 0 may save after another rank is lost. */
const LAST_SAVE = 20;
/** Seconds after the loss of a rank, and of MPI_Finalize, after which this process ends whatever it does. */
const LOST = 25;
const FINALIZE = 30;
/** Seconds after which rank 0 names the ranks that it waits for, again and again. */
const NAME_AFTER = 10;

export interface RanksEvents {
  /** A line for people. */
  note?(line: string): void;
  /** A rank is lost, or a signal asks some rank to end. */
  onLost?(lost: RankLost): void;
  onStop?(signal: EndSignal): void;
  /** Seconds of computing and of exchanging in the iterations so far. */
  times?(): Pick<Beat, "computing" | "exchanging">;
}

export class Ranks {
  events: RanksEvents = {};
  /** Of the loss of a rank. */
  lost: RankLost | undefined;
  private named = 0;

  private constructor(
    private readonly communicator: Communicator,
    readonly places: readonly Place[],
  ) {
    communicator.check = () => {
      if (this.lost) throw this.lost;
      this.nameMissing();
    };
  }

  private watch: Watch | undefined;

  /** Joins the other processes of the launcher. @throws UserError when that fails */
  static async join(launch: Launch): Promise<Ranks> {
    checkLine(process.env);
    // MPICH's launcher sends it after a rank has died, and by itself it would end this process.
    process.on("SIGUSR1", () => {});
    const communicator = Communicator.join(launch);
    const places = await communicator.gatherValues(thisPlace());
    const ranks = new Ranks(communicator, places);
    await ranks.openWatch();
    return ranks;
  }

  private async openWatch(): Promise<void> {
    const { rank, places, communicator } = this;
    const events = {
      onLost: (lost: RankLost) => {
        this.lost = lost;
        // At once: the launcher may leave no time for more.
        this.events.note?.(`${lost.message}: saving…`);
        this.events.onLost?.(lost);
        // Its device may be in the middle of something long, or hang.
        const line = `not at an end ${LOST} s after it: ended as it was; the last checkpoint is whole`;
        void Deadline.set(LOST, 2, `${lost.message}: ${line}`);
      },
      onStop: (signal: EndSignal) => this.events.onStop?.(signal),
      beat: () => ({ entered: communicator.entered, ...this.times }),
    };
    const isOneHost = places.every(({ host }) => host === places[0]!.host);
    const local = "127.0.0.1";
    if (rank > 0) {
      const door = await communicator.broadcastValue<Door>();
      this.watch = await Watch.join(rank, door, places, events);
      return;
    }
    const opened = await Watch.listen(isOneHost ? local : undefined);
    const addresses = isOneHost ? [local] : ownAddresses();
    const door = { addresses, port: opened.port, token: randomUUID() };
    await communicator.broadcastValue(door);
    const { watch, absent } = await Watch.host(opened, door.token, places, events);
    this.watch = watch;
    this.absent = absent;
  }

  private absent: readonly number[] = [];

  private get times(): Pick<Beat, "computing" | "exchanging"> {
    return this.events.times?.() ?? { computing: 0, exchanging: 0 };
  }

  get rank(): number {
    return this.communicator.rank;
  }

  get size(): number {
    return this.communicator.size;
  }

  /** Among the ranks of this machine. */
  get local(): { readonly rank: number; readonly size: number } {
    return localRank(this.rank, this.places);
  }

  /** The library of MPI in its own words. */
  get library(): string {
    return this.communicator.version;
  }

  /** A rank as people know it. */
  nameOf(rank: number): string {
    const { host, pid } = this.places[rank]!;
    return `rank ${rank} (process ${pid} on ${host})`;
  }

  /** Lines about the job, of rank 0. */
  get description(): string[] {
    const places = this.places.map(({ host, pid }, rank) => `${rank} process ${pid} on ${host}`);
    const lines = [`${this.size} ranks by ${this.library}: ${places.join(", ")}`];
    if (this.absent.length > 0) {
      lines.push(
        `warning: ${this.absent.map((rank) => this.nameOf(rank)).join(", ")} cannot reach rank 0 by TCP: ` +
          "if it ends, only the launcher will notice",
      );
    }
    return lines;
  }

  gatherFloats(part: Float32Array, lengths: readonly number[]): Promise<Float32Array> {
    return this.communicator.gatherFloats(part, lengths);
  }

  sum(part: Float32Array): Promise<Float32Array> {
    return this.communicator.sum(part);
  }

  gatherValues<T>(value: T): Promise<T[]> {
    return this.communicator.gatherValues(value);
  }

  broadcastValue<T>(value?: T): Promise<T> {
    return this.communicator.broadcastValue(value);
  }

  /** The first rank of each machine does `work` before its others: they find what it leaves in caches. */
  async firstOfEachMachine<T>(work: () => Promise<T>): Promise<T> {
    if (this.local.rank > 0) await this.gatherValues(true);
    const result = await work();
    if (this.local.rank === 0) await this.gatherValues(true);
    return result;
  }

  /** How far every rank is, as it told last; of rank 0. */
  get beats(): Beat[] {
    const own = { entered: this.communicator.entered, ...this.times };
    return this.places.map((_, rank) => (rank === 0 ? own : this.watch?.beats.get(rank)) ?? own);
  }

  /** Rank 0 tells whom it waits for, where that takes long. */
  private nameMissing(): void {
    const { entered, waitingSince } = this.communicator;
    if (this.rank > 0 || waitingSince === undefined) return;
    const seconds = (performance.now() - waitingSince) / 1000;
    if (seconds < NAME_AFTER) this.named = 0;
    if (seconds < NAME_AFTER * 2 ** this.named) return;
    this.named++;
    const missing = this.beats.flatMap((beat, rank) => (beat.entered < entered ? [rank] : []));
    if (missing.length === 0) return;
    const names = missing.map((rank) => this.nameOf(rank)).join(", ");
    this.events.note?.(`waiting for ${names} for ${Math.round(seconds)} s`);
  }

  /** Passes a signal of the system on to the other ranks. */
  stop(signal: EndSignal): void {
    this.watch?.stop(signal);
  }

  /**
   * Ends in order: every rank must do so. UCX moves messages by TCP between machines, and ends such a
   * connection by asking the other rank for an answer. MPICH 4.0 gives none once its own connections have
   * ended: who comes late to MPI_Finalize would wait for ever. So all come together, no rank drives MPI on
   * while it waits for the others, and each two have exchanged something, so that none ends before all ask.
   */
  async leave(): Promise<void> {
    this.events = {};
    await this.communicator.touch();
    await this.watch?.meet();
    await this.watch?.close();
    if (this.lost) return;
    const line = `MPI_Finalize has not come back for ${FINALIZE} s: ended without it`;
    const deadline = await Deadline.set(FINALIZE, Number(process.exitCode ?? 0), line);
    this.communicator.finalize();
    await deadline.lift();
  }

  /** Ends where others cannot go on: they are told why. */
  async abandon(message: string): Promise<void> {
    this.watch?.fail(message);
    await this.watch?.close();
  }

  /** After the loss of a rank the launcher may kill what is left as soon as one ends: rank 0 saves first. */
  async afterLoss(): Promise<void> {
    if (this.rank > 0 && this.lost?.rank !== 0) await this.watch?.untilRank0Ends(LAST_SAVE);
    await this.watch?.close();
  }
}
