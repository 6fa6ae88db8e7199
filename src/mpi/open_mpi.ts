/** Open MPI 4 and 5 (`libmpi.so.40`): handles are the addresses of objects in the library (its mpi.h). */
import { type Abi, POINTER } from "./abi";

export const OPEN_MPI: Abi = {
  name: "Open MPI",
  file: "libmpi.so.40",
  handle: POINTER,
  requestBytes: 8,
  statusIgnore: null,
  handles: (addressOf) => ({
    world: addressOf("ompi_mpi_comm_world"),
    byte: addressOf("ompi_mpi_byte"),
    float: addressOf("ompi_mpi_float"),
    sum: addressOf("ompi_mpi_op_sum"),
    errorsReturn: addressOf("ompi_mpi_errors_return"),
  }),
};
