/** A process that runs cases, and may be ended when one hangs. */
import { PARTS } from "./parts";
import { runCases } from "./run_cases";

await runCases(PARTS);
