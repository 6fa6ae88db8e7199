/** Every op in the variants that this machine's adapters choose by themselves (test/op_tests.ts). */
import { describeOps, describeReferences } from "./op_tests";

describeReferences();
await describeOps("quick");
