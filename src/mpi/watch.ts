/**
 * Notices what MPI does not tell: a rank that is gone, has failed, is to end, or is slow. Every rank keeps
 * a TCP connection to rank 0. The system closes it with the process, however that ends, so that nobody
 * waits for a rank that will not come.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { z } from "zod";
import { UserError } from "../core/errors";
import { END_SIGNALS, type EndSignal } from "../platform/interruption";
import type { Door, Place } from "./places";

/** Seconds between two signs of life. */
const BEAT = 2;
/** Seconds without one after which a rank counts as gone: its machine has no power, or it is stopped. */
const SILENT = 120;
/** Seconds that a connection may take. */
const CONNECT = 20;

/** How far a rank is. */
const beatSchema = z.strictObject({
  /** Collective operations that it has begun. */
  entered: z.number(),
  /** Seconds in iterations: of computing, and of exchanging with other ranks. */
  computing: z.number(),
  exchanging: z.number(),
});
export type Beat = Readonly<z.output<typeof beatSchema>>;

const wordSchema = z.strictObject({
  /** The first word: who speaks, and the word that only ranks of this job know. */
  rank: z.number().optional(),
  token: z.string().optional(),
  beat: beatSchema.optional(),
  /** A signal of the system asks this rank to end. */
  stop: z.enum(END_SIGNALS).optional(),
  /** This rank has failed, with this message. */
  failed: z.string().optional(),
  /** Of rank 0: another rank is gone. */
  lost: z.strictObject({ rank: z.number(), why: z.string(), isSudden: z.boolean() }).optional(),
  /** This rank leaves in order. */
  left: z.literal(true).optional(),
});
type Word = z.output<typeof wordSchema>;

/** A rank is gone: the others cannot go on. */
export class RankLost extends UserError {
  /** @param place it as people know it */
  constructor(
    readonly rank: number,
    place: Place,
    readonly why: string,
    /** Whether it said nothing of its end. */
    readonly isSudden: boolean,
  ) {
    super(`rank ${rank} (process ${place.pid} on ${place.host}) ${why}`);
  }
}

interface Peer {
  readonly socket: Socket;
  /** When it spoke last: milliseconds of performance.now(). */
  heard: number;
  beat?: Beat;
  hasLeft: boolean;
}

/** The door of rank 0, with those who came before it looked. */
interface Opened {
  readonly server: Server;
  readonly port: number;
  readonly early: readonly Socket[];
}

export interface WatchEvents {
  onLost(lost: RankLost): void;
  onStop(signal: EndSignal): void;
  /** What the beats of this rank say. */
  beat(): Beat;
}

export class Watch {
  private readonly peers = new Map<number, Peer>();
  private lost: RankLost | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;
  private server: Server | undefined;
  private isClosing = false;
  private readonly met = Promise.withResolvers<void>();

  private constructor(
    private readonly rank: number,
    private readonly places: readonly Place[],
    private readonly events: WatchEvents,
  ) {}

  /** Rank 0 opens its door, before the others know where it is. */
  static async listen(host: string | undefined): Promise<Opened> {
    const early: Socket[] = [];
    const server = createServer((socket) => early.push(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: 0, host }, resolve);
    });
    const address = server.address();
    if (typeof address !== "object" || !address) throw new Error("watch: no port");
    return { server, port: address.port, early };
  }

  /** Rank 0 waits for the others. @returns the ranks that did not come in time */
  static async host(
    { server, early }: Opened,
    token: string,
    places: readonly Place[],
    events: WatchEvents,
  ): Promise<{ watch: Watch; absent: number[] }> {
    const watch = new Watch(0, places, events);
    watch.server = server;
    const others = places.slice(1).map((_, i) => i + 1);
    const all = Promise.withResolvers<void>();
    const receive = (socket: Socket) => {
      socket.on("error", () => {});
      watch.hear(socket, (word) => {
        if (word.token !== token || !others.includes(word.rank ?? -1)) return undefined;
        if (others.every((rank) => rank === word.rank || watch.peers.has(rank))) all.resolve();
        return word.rank;
      });
    };
    server.removeAllListeners("connection").on("connection", receive);
    for (const socket of early) receive(socket);
    if (others.length === 0) all.resolve();
    await within(CONNECT, all.promise);
    watch.begin();
    return { watch, absent: others.filter((rank) => !watch.peers.has(rank)) };
  }

  /** Another rank connects to rank 0, by the first address that answers. */
  static async join(
    rank: number,
    door: Door,
    places: readonly Place[],
    events: WatchEvents,
  ): Promise<Watch> {
    const watch = new Watch(rank, places, events);
    const socket = await firstAnswer(door);
    if (socket) {
      socket.on("error", () => {});
      watch.hear(socket, () => 0);
      watch.add(0, socket);
      say(socket, { rank, token: door.token });
    }
    watch.begin();
    return watch;
  }

  private add(rank: number, socket: Socket): Peer {
    const peer = { socket, heard: performance.now(), hasLeft: false };
    this.peers.set(rank, peer);
    socket.on("close", () => {
      if (!peer.hasLeft) this.lose(rank, "has ended unexpectedly");
    });
    return peer;
  }

  /** @param known who speaks, by the first word; undefined: nobody of this job */
  private hear(socket: Socket, known: (first: Word) => number | undefined): void {
    let rank: number | undefined;
    const lines = createInterface(socket);
    // A process that is killed may reset its connection, which the lines tell once more.
    lines.on("error", () => {});
    lines.on("line", (line) => {
      const word = wordSchema.safeParse(safeJson(line));
      if (!word.success) return void socket.destroy();
      if (rank === undefined) {
        rank = known(word.data);
        if (rank === undefined) return void socket.destroy();
        if (!this.peers.has(rank)) this.add(rank, socket);
      }
      this.take(rank, word.data);
    });
  }

  private take(rank: number, { beat, stop, failed, lost, left }: Word): void {
    const peer = this.peers.get(rank);
    if (!peer) return;
    peer.heard = performance.now();
    if (beat) peer.beat = beat;
    if (left) {
      peer.hasLeft = true;
      this.lookWhoLeft();
    }
    if (failed !== undefined) this.lose(rank, `ends: ${failed}`, false);
    if (lost) this.lose(lost.rank, lost.why, lost.isSudden);
    if (!stop) return;
    this.events.onStop(stop);
    if (this.rank === 0) this.tell({ stop }, rank);
  }

  private lose(rank: number, why: string, isSudden = true): void {
    if (this.lost || this.isClosing) return;
    this.lost = new RankLost(rank, this.places[rank]!, why, isSudden);
    if (this.rank === 0) this.tell({ lost: { rank, why, isSudden } });
    this.lookWhoLeft();
    this.events.onLost(this.lost);
  }

  private begin(): void {
    this.timer = setInterval(() => {
      this.tell({ beat: this.events.beat() });
      for (const [rank, { heard, hasLeft }] of this.peers) {
        if (hasLeft || performance.now() - heard < 1000 * SILENT) continue;
        this.lose(rank, `has given no sign of life for ${SILENT} s`);
      }
    }, 1000 * BEAT);
    this.timer.unref();
  }

  private tell(word: Word, except?: number): void {
    for (const [rank, { socket }] of this.peers) if (rank !== except) say(socket, word);
  }

  /** Passes a request to end on to the other ranks. */
  stop(signal: EndSignal): void {
    this.tell({ stop: signal });
  }

  /** Says that this rank cannot go on. */
  fail(message: string): void {
    this.tell({ failed: message });
  }

  /** The last that other ranks told of themselves; only rank 0 hears of all. */
  get beats(): ReadonlyMap<number, Beat> {
    return new Map([...this.peers].flatMap(([rank, { beat }]) => (beat ? [[rank, beat]] : [])));
  }

  /** Resolves when rank 0 has ended, at the latest after so many seconds. */
  async untilRank0Ends(seconds: number): Promise<void> {
    const { socket } = this.peers.get(0) ?? {};
    if (!socket || socket.destroyed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    await within(seconds, closed);
  }

  private lookWhoLeft(): void {
    if (this.lost || [...this.peers.values()].every(({ hasLeft }) => hasLeft)) this.met.resolve();
  }

  /** Resolves when all ranks are about to leave, or one is lost; of those that are connected. */
  async meet(): Promise<void> {
    if (this.rank > 0) this.tell({ left: true });
    this.lookWhoLeft();
    await this.met.promise;
    if (this.rank === 0) this.tell({ left: true });
  }

  /** Leaves in order. */
  async close(): Promise<void> {
    this.isClosing = true;
    clearInterval(this.timer);
    this.tell({ left: true });
    const sent = [...this.peers.values()].map(
      ({ socket }) => new Promise<void>((resolve) => socket.end(() => resolve())),
    );
    await within(1, Promise.all(sent));
    for (const { socket } of this.peers.values()) socket.unref();
    this.server?.close();
    this.server?.unref();
  }
}

/** Waits for `work`, but not longer; no timer is left, which would keep the process. */
async function within(seconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, 1000 * seconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function say(socket: Socket, word: Word): void {
  if (socket.writable) socket.write(`${JSON.stringify(word)}\n`);
}

function safeJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function firstAnswer({ addresses, port }: Door): Promise<Socket | undefined> {
  for (const host of addresses) {
    const socket = connect({ host, port });
    const answer = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
      setTimeout(() => resolve(false), (1000 * CONNECT) / addresses.length).unref();
    });
    if (answer) return socket;
    socket.destroy();
  }
  return undefined;
}
