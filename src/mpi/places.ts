/** The places of the ranks: machine and process. */
import { hostname, networkInterfaces } from "node:os";

export interface Place {
  readonly host: string;
  readonly pid: number;
}

export const thisPlace = (): Place => ({ host: hostname(), pid: process.pid });

/** The way to rank 0. */
export interface Door {
  readonly addresses: readonly string[];
  readonly port: number;
  /** A word that only the ranks of this job know. */
  readonly token: string;
}

/** The addresses of this machine by which others may reach it, IPv4 first. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const first = outer.filter(({ family }) => family === "IPv4");
  return [...first, ...outer.filter((each) => !first.includes(each))].map(({ address }) => address);
}

/** The place of a rank among those of its machine, and their number. */
export function localRank(
  rank: number,
  places: readonly Place[],
): { readonly rank: number; readonly size: number } {
  const { host } = places[rank]!;
  const same = places.flatMap((place, i) => (place.host === host ? [i] : []));
  return { rank: same.indexOf(rank), size: same.length };
}
