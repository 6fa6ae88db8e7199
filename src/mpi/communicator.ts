/** Collective operations among the ranks. Every rank must call the same ones in the same order. */
import type { Launch } from "./launch";
import { MpiLibrary, type Request } from "./library";

/** Milliseconds in which a wait only turns the event loop; then it sleeps in each turn. */
const EAGER_MS = 3;
const SLEEP_MS = 1;
/** Milliseconds after which an error of the library is no rank's end. */
const TOLD_MS = 3000;
/** Bytes that a broadcast value takes at least. */
const BLOCK = 1024;

export class Communicator {
  /** Operations begun. */
  entered = 0;
  /** Seconds spent in operations, waiting for other ranks included. */
  seconds = 0;
  /** Since when the present one waits: milliseconds of performance.now(). */
  waitingSince: number | undefined;
  /** Called in each turn of a wait; what it throws ends the wait. */
  check: () => void = () => {};

  private constructor(
    private readonly library: MpiLibrary,
    readonly rank: number,
    readonly size: number,
  ) {}

  /** Loads the launcher's library and joins the other ranks. @throws UserError when that fails */
  static join({ abi }: Launch): Communicator {
    const library = new MpiLibrary(abi);
    library.init();
    return new Communicator(library, library.rank, library.size);
  }

  /** The library in its own words. */
  get version(): string {
    return this.library.version;
  }

  /** The parts of all ranks one after the other. @param lengths bytes of each rank's part */
  async gather(part: Uint8Array, lengths: readonly number[]): Promise<Uint8Array> {
    const total = lengths.reduce((a, b) => a + b, 0);
    const into = new Uint8Array(new ArrayBuffer(Math.max(1, total)));
    await this.done(this.library.gather(part, lengths, into));
    return into.subarray(0, total);
  }

  /** As gather, of floats; lengths in floats. */
  async gatherFloats(part: Float32Array, lengths: readonly number[]): Promise<Float32Array> {
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    const all = await this.gather(
      bytes,
      lengths.map((n) => 4 * n),
    );
    return new Float32Array(all.buffer, 0, all.length / 4);
  }

  /** One value of each rank, of any length: as JSON. */
  async gatherValues<T>(value: T): Promise<T[]> {
    const own = new TextEncoder().encode(JSON.stringify(value));
    const mine = new Float64Array(new ArrayBuffer(8)).fill(own.length);
    const eights = Array.from({ length: this.size }, () => 8);
    const sizes = await this.gather(new Uint8Array(mine.buffer), eights);
    const lengths = [...new Float64Array(sizes.buffer)];
    const all = await this.gather(own, lengths);
    let at = 0;
    return lengths.map((length) => {
      const text = new TextDecoder().decode(all.subarray(at, at + length));
      at += length;
      return JSON.parse(text) as T;
    });
  }

  /** Rank 0's value on all ranks: as JSON. The others' own are ignored. */
  async broadcastValue<T>(value?: T): Promise<T> {
    const text = new TextEncoder().encode(this.rank === 0 ? JSON.stringify(value) : "");
    // Most fit into one operation: their length, then themselves.
    const block = new Uint8Array(new ArrayBuffer(BLOCK));
    const view = new DataView(block.buffer);
    view.setUint32(0, text.length);
    if (text.length <= BLOCK - 4) block.set(text, 4);
    await this.done(this.library.broadcast(block));
    const length = view.getUint32(0);
    let bytes = block.subarray(4, 4 + length);
    if (length > BLOCK - 4) {
      bytes = new Uint8Array(new ArrayBuffer(length));
      bytes.set(text);
      await this.done(this.library.broadcast(bytes));
    }
    return JSON.parse(new TextDecoder().decode(bytes)) as T;
  }

  /** The sum over the ranks, in an order that the library chooses. */
  async sum(part: Float32Array): Promise<Float32Array> {
    const into = new Float32Array(new ArrayBuffer(part.byteLength));
    await this.done(this.library.sum(part, into));
    return into;
  }

  /** Sends a byte to each rank, so that every two of them have exchanged something. */
  touch(): Promise<void> {
    return this.done(this.library.touch(this.size));
  }

  /** Leaves the other ranks in order: all of them must do so. Blocks. */
  finalize(): void {
    this.library.finalize();
  }

  /** Where the library itself notices that a rank is gone, a connection to that rank tells which. */
  private async isDone(request: Request): Promise<boolean> {
    try {
      return this.library.isDone(request);
    } catch (error) {
      for (const began = performance.now(); performance.now() - began < TOLD_MS; ) {
        await Bun.sleep(SLEEP_MS);
        this.check();
      }
      throw error;
    }
  }

  /** Blocking calls would stop the event loop, and a rank that is gone would stop them for ever. */
  private async done(request: Request): Promise<void> {
    this.entered++;
    const began = performance.now();
    this.waitingSince = began;
    try {
      for (;;) {
        this.check();
        if (await this.isDone(request)) break;
        if (performance.now() - began > EAGER_MS) await Bun.sleep(SLEEP_MS);
        else await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      abandoned.push(request);
      throw error;
    } finally {
      this.waitingSince = undefined;
      this.seconds += (performance.now() - began) / 1000;
    }
  }
}

/** Operations that were given up: the library may still write into their buffers. */
const abandoned: Request[] = [];
