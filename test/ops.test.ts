/** Every op in the kernels that this machine's adapters would run (test/op_tests.ts). */
import { describeOps, describeReferences } from "./op_tests";

describeReferences();
await describeOps("quick");
