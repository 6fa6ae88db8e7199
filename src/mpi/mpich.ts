/**
 * MPICH 3 and 4 (`libmpich.so.12`), and what keeps to its binary interface, as Intel MPI and MVAPICH do:
 * handles are whole numbers (its mpi.h).
 */
import type { Pointer } from "bun:ffi";
import { type Abi, INTEGER } from "./abi";

export const MPICH: Abi = {
  name: "MPICH",
  file: "libmpich.so.12",
  handle: INTEGER,
  requestBytes: 4,
  statusIgnore: 1 as Pointer,
  handles: () => ({
    world: 0x44000000,
    byte: 0x4c00010d,
    float: 0x4c00040a,
    sum: 0x58000003,
    errorsReturn: 0x54000001,
  }),
};
