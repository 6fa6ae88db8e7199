/** Every importer; `bun run import` has a subcommand for each. */
import { BIDS } from "./bids";
import type { Importer } from "./importer";
import { LJUBLJANA } from "./ljubljana";
import { MSLESSEG } from "./mslesseg";

export const IMPORTERS: readonly Importer[] = [LJUBLJANA, MSLESSEG, BIDS];
