/** Every op on software adapters in the variants that they do not choose by themselves (test/op_tests.ts). */
import { describeOps } from "../op_tests";

await describeOps("long");
