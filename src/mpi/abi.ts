/** The two families of MPI libraries, whose handles differ; one file for each says how. */
import { FFIType, type Pointer } from "bun:ffi";

/** A handle as C passes it: a pointer or a whole number. */
export type Handle = number;

export interface Abi {
  readonly name: string;
  /** The shared library, by the name that it has without its development package. */
  readonly file: string;
  /** Of a communicator, data type, operation and error handler, as an argument. */
  readonly handle: FFIType;
  /** Bytes of an MPI_Request. */
  readonly requestBytes: number;
  /** MPI_STATUS_IGNORE. */
  readonly statusIgnore: Pointer | null;
  /** @param addressOf the address of a symbol of the library */
  handles(addressOf: (symbol: string) => number): Handles;
}

export interface Handles {
  /** MPI_COMM_WORLD, MPI_BYTE, MPI_FLOAT, MPI_SUM and MPI_ERRORS_RETURN. */
  readonly world: Handle;
  readonly byte: Handle;
  readonly float: Handle;
  readonly sum: Handle;
  readonly errorsReturn: Handle;
}

export const POINTER = FFIType.ptr;
export const INTEGER = FFIType.i32;
