/** The columns of a run: implementations and their adapters, as the options choose. */
import { UserError } from "../core/errors";
import { matches } from "../gpu/adapter_search";
import type { Host, HostAdapter } from "./host";
import { hosts } from "./hosts/index";

export interface Chosen {
  readonly columns: readonly { readonly host: Host; readonly adapter: HostAdapter }[];
  readonly missing: readonly { readonly implementation: string; readonly reason: string }[];
}

export interface Choice {
  /** Names of hosts; absent: all. */
  readonly implementation?: readonly string[];
  /** A kind, `gpu` or part of a name; absent: all. */
  readonly adapter?: readonly string[];
}

/** @throws UserError for an implementation that is unknown, or where nothing is left */
export async function chooseColumns({ implementation, adapter }: Choice): Promise<Chosen> {
  const names: readonly string[] = hosts.map(({ name }) => name);
  const unknown = implementation?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`--implementation ${unknown}: expected ${names.join(", ")}`);
  }
  const columns: { host: Host; adapter: HostAdapter }[] = [];
  const missing: { implementation: string; reason: string }[] = [];
  const there: string[] = [];
  for (const host of hosts) {
    if (implementation && !implementation.includes(host.name)) continue;
    const { adapters, reason } = await host.adapters();
    if (reason) missing.push({ implementation: host.name, reason });
    for (const found of adapters) {
      there.push(`${host.name} × ${found.name}`);
      if (adapter && !adapter.some((word) => matches(word, found))) continue;
      columns.push({ host, adapter: found });
    }
  }
  if (columns.length > 0) return { columns, missing };
  const why = missing.map((m) => `${m.implementation}: ${m.reason}`).join("; ");
  throw new UserError(
    there.length > 0
      ? `--adapter ${adapter?.join(",")}: matches none of ${there.join(", ")}`
      : `no implementation offers an adapter here: ${why}`,
  );
}
