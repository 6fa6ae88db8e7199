/** The few functions of MPI that training needs, called in the library of the launcher at hand. */
import { FFIType, dlopen as ffiOpen, ptr } from "bun:ffi";
import { UserError } from "../core/errors";
import { loadGlobally } from "../platform/native";
import type { Abi } from "./abi";

/** A collective operation that runs. Its buffers stay reachable until it is done. */
export interface Request {
  readonly handle: Uint8Array;
  readonly buffers: readonly ArrayBufferView[];
}

const { i32, ptr: pointer } = FFIType;

function signatures({ handle }: Abi) {
  const returns = i32;
  return {
    MPI_Init_thread: { args: [pointer, pointer, i32, pointer], returns },
    MPI_Finalize: { args: [], returns },
    MPI_Comm_rank: { args: [handle, pointer], returns },
    MPI_Comm_size: { args: [handle, pointer], returns },
    MPI_Comm_set_errhandler: { args: [handle, handle], returns },
    MPI_Error_string: { args: [i32, pointer, pointer], returns },
    MPI_Get_library_version: { args: [pointer, pointer], returns },
    MPI_Iallgatherv: {
      args: [pointer, i32, handle, pointer, pointer, pointer, handle, handle, pointer],
      returns,
    },
    MPI_Ialltoallv: {
      args: [
        ...([pointer, pointer, pointer, handle] as const),
        ...([pointer, pointer, pointer, handle, handle, pointer] as const),
      ],
      returns,
    },
    MPI_Iallreduce: { args: [pointer, pointer, i32, handle, handle, handle, pointer], returns },
    MPI_Ibcast: { args: [pointer, i32, handle, i32, handle, pointer], returns },
    MPI_Test: { args: [pointer, pointer, pointer], returns },
  } as const;
}

/** Of MPI_Error_string and MPI_Get_library_version in either family. */
const TEXT_BYTES = 8192;

/** Memory that C writes into: an array with a buffer of its own does not move. */
const bytes = (count: number) => new Uint8Array(new ArrayBuffer(count));
const ints = (...values: number[]) => new Int32Array(Int32Array.from(values).buffer);

export class MpiLibrary {
  private readonly calls;
  private readonly handles;

  /** @throws UserError where the library is not there, or is none */
  constructor(private readonly abi: Abi) {
    const { file, name } = abi;
    try {
      this.handles = abi.handles(loadGlobally(file));
      this.calls = ffiOpen(file, signatures(abi)).symbols;
    } catch (error) {
      throw new UserError(
        `${name} has started this process, and its library ${file} cannot be loaded ` +
          `(${(error as Error).message}): install it, or put its folder into LD_LIBRARY_PATH`,
      );
    }
  }

  /** Joins the ranks of the launcher. @throws UserError when it cannot */
  init(): void {
    // One thread calls MPI, others may run: MPI_THREAD_FUNNELED.
    this.check("MPI_Init_thread", this.calls.MPI_Init_thread(null, null, 1, ints(0)));
    const { world, errorsReturn } = this.handles;
    this.check("MPI_Comm_set_errhandler", this.calls.MPI_Comm_set_errhandler(world, errorsReturn));
  }

  finalize(): void {
    this.check("MPI_Finalize", this.calls.MPI_Finalize());
  }

  get rank(): number {
    const rank = ints(0);
    this.check("MPI_Comm_rank", this.calls.MPI_Comm_rank(this.handles.world, rank));
    return rank[0]!;
  }

  get size(): number {
    const size = ints(0);
    this.check("MPI_Comm_size", this.calls.MPI_Comm_size(this.handles.world, size));
    return size[0]!;
  }

  /** The library in its own words, on one line. */
  get version(): string {
    return this.text((buffer, length) => this.calls.MPI_Get_library_version(buffer, length))
      .split("\n")[0]!
      .trim();
  }

  /**
   * Every rank's bytes, in the order of the ranks.
   * @param counts bytes of each rank
   * @param into holds them all
   */
  gather(part: Uint8Array, counts: readonly number[], into: Uint8Array): Request {
    const { world, byte } = this.handles;
    const lengths = ints(...counts);
    const starts = ints(...counts.map((_, i) => counts.slice(0, i).reduce((a, b) => a + b, 0)));
    const handle = bytes(this.abi.requestBytes);
    const send = part.length > 0 ? part : bytes(1); // an empty array has no address
    const code = this.calls.MPI_Iallgatherv(
      ...([ptr(send), part.length, byte, ptr(into), lengths, starts] as const),
      ...([byte, world, handle] as const),
    );
    this.check("MPI_Iallgatherv", code);
    return { handle, buffers: [send, into, lengths, starts] };
  }

  /** A byte from each rank to each. */
  touch(size: number): Request {
    const { world, byte } = this.handles;
    const [send, into, handle] = [bytes(size), bytes(size), bytes(this.abi.requestBytes)];
    const ones = ints(...Array.from({ length: size }, () => 1));
    const places = ints(...Array.from({ length: size }, (_, i) => i));
    const one = [ptr(ones), ptr(places), byte] as const;
    const code = this.calls.MPI_Ialltoallv(
      ptr(send),
      ...one,
      ptr(into),
      ...one,
      world,
      ptr(handle),
    );
    this.check("MPI_Ialltoallv", code);
    return { handle, buffers: [send, into, ones, places] };
  }

  /** The sum over the ranks, in an order that the library chooses. */
  sum(part: Float32Array, into: Float32Array): Request {
    const { world, float, sum } = this.handles;
    const handle = bytes(this.abi.requestBytes);
    const code = this.calls.MPI_Iallreduce(
      ...([ptr(part), ptr(into), part.length, float, sum, world, handle] as const),
    );
    this.check("MPI_Iallreduce", code);
    return { handle, buffers: [part, into] };
  }

  /** Sends rank 0's bytes to the others. */
  broadcast(buffer: Uint8Array): Request {
    const { world, byte } = this.handles;
    const handle = bytes(this.abi.requestBytes);
    const code = this.calls.MPI_Ibcast(ptr(buffer), buffer.length, byte, 0, world, handle);
    this.check("MPI_Ibcast", code);
    return { handle, buffers: [buffer] };
  }

  /** Whether the operation is done; drives it on where it is not. */
  isDone({ handle }: Request): boolean {
    const done = ints(0);
    this.check("MPI_Test", this.calls.MPI_Test(handle, done, this.abi.statusIgnore));
    return done[0] !== 0;
  }

  private check(what: string, code: number): void {
    if (code === 0) return;
    const why = this.text((buffer, length) => this.calls.MPI_Error_string(code, buffer, length));
    throw new UserError(`${this.abi.name}: ${what} failed: ${why}`);
  }

  private text(ask: (buffer: Uint8Array, length: Int32Array) => number): string {
    const [buffer, length] = [bytes(TEXT_BYTES), ints(0)];
    ask(buffer, length);
    // Open MPI counts the 0 at the end of some.
    return Buffer.from(buffer.subarray(0, length[0])).toString().replace(/\0.*$/s, "");
  }
}
