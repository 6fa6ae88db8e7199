/** The registry: every op of the engine. Tests and benchmarks walk it. */
import { add } from "./add";

export const ops = { add };
