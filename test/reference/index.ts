/** The float64 references of all ops. Tests and benchmarks walk them. */
import { addReference } from "./add";
import type { Reference } from "./reference";

export const references: readonly Reference<unknown>[] = [addReference];
