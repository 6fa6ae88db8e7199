/** Every op on software adapters in the kernels that are made for GPUs (test/op_tests.ts). */
import { describeOps } from "../op_tests";

await describeOps("long");
