/** Ranks that differ are refused before they train: what each of them has, by its hash. */
import { createHash } from "node:crypto";
import { version } from "../../package.json";
import { UserError } from "../core/errors";
import { adapterText } from "../gpu/adapter";
import type { Device } from "../gpu/device";
import type { Memory } from "../gpu/memory";
import type { Ranks } from "../mpi/ranks";
import type { TrainConfig } from "../settings/config";
import type { Trainer } from "../train/trainer";
import type { Inputs } from "./run_inputs";

/** What must be alike, with what to do about it. */
const REMEDIES = {
  version: "use one version of voxgrad everywhere",
  adapter: "run all of them on devices of one kind: others round otherwise",
  settings: "give all of them the same options",
  data: "give all of them the same --data, with the same files in it",
  kernels: "use one version of voxgrad everywhere",
  weights: "let all of them start from the same weights, or the same run folder",
} as const;
type Fact = keyof typeof REMEDIES;
export type Facts = Readonly<Partial<Record<Fact, string>>>;

const hashOf = (...parts: readonly (string | Uint8Array)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 12);
};

/** Known as soon as the data are prepared. */
export function inputFacts(
  { info }: Pick<Device, "info">,
  config: TrainConfig,
  { sources, patients, scans }: Pick<Inputs, "sources" | "patients" | "scans">,
): Facts {
  const prepared = [...sources, ...patients.map(({ prepared }) => prepared)];
  const people = prepared.map(({ id, key }) => [id, key]);
  const names = scans.map(({ patient, name }) => [patient, name]);
  return {
    version,
    adapter: adapterText(info),
    settings: hashOf(JSON.stringify(Object.entries(config).sort())),
    data: hashOf(JSON.stringify([people, patients.length, names])),
  };
}

/** Known when the trainer is there. */
export async function trainerFacts(memory: Memory, trainer: Trainer): Promise<Facts> {
  const { state, iteration, shards } = trainer;
  const kernels = (shards?.all ?? [trainer.program]).flatMap(({ dispatches }) =>
    dispatches.map(
      ({ kernel, sizes }) => `${kernel.name} ${kernel.source} ${JSON.stringify(sizes)}`,
    ),
  );
  const bytes = async (name: "student" | "momentum") =>
    new Uint8Array((await memory.readF32(state[name].flat)).buffer);
  const weights = hashOf(`${iteration}`, await bytes("student"), await bytes("momentum"));
  return { kernels: hashOf(...kernels), weights };
}

/**
 * A line about the ranks that differ from rank 0; undefined where none does.
 * @param facts of each rank
 * @param nameOf a rank as people know it
 */
export function disagreement(
  facts: readonly Facts[],
  nameOf: (rank: number) => string,
): string | undefined {
  const [first, ...others] = facts;
  for (const name of Object.keys(REMEDIES) as Fact[]) {
    const apart = others.flatMap((each, i) => (each[name] === first![name] ? [] : [i + 1]));
    if (apart.length === 0) continue;
    const found = apart.map((rank) => `${nameOf(rank)} has ${facts[rank]![name]}`).join(", ");
    return `the ranks' ${name} differ: ${found}, rank 0 has ${first![name]}; ${REMEDIES[name]}`;
  }
  return undefined;
}

/** @throws UserError where the ranks differ; on all of them */
export async function agree(ranks: Ranks, facts: Facts): Promise<void> {
  const complaint = disagreement(await ranks.gatherValues(facts), (rank) => ranks.nameOf(rank));
  if (complaint !== undefined) throw new Disagreement(complaint);
}

/** All ranks know of it. */
export class Disagreement extends UserError {}
