import { UserError } from "../core/errors";
import type { AdapterDescription, AdapterKind, AdapterSourceName } from "./adapter";

/** An adapter that a device can be opened on. */
export interface Candidate {
  readonly info: AdapterDescription;
  readonly adapter: GPUAdapter;
}

/** A place where adapters come from; finding them may bring a driver. */
export interface AdapterSource {
  readonly name: AdapterSourceName;
  /** The adapters, or why there are none. Nothing is downloaded unless `mayDownload`. */
  find(mayDownload: boolean): Promise<FoundAdapters>;
}

export interface FoundAdapters {
  readonly candidates: readonly Candidate[];
  readonly reason?: string;
}

/**
 * The best adapter that `wanted` means ("" means any), asking the sources in their order and no
 * further than needed; `reasons` says why each source that was asked in vain has none.
 * @param turn of several that are equally good, the one to take, counted from 0 in turn
 * @throws UserError when there is none, saying what there is and what was tried
 */
export async function searchAdapter(
  sources: readonly AdapterSource[],
  wanted: string,
  turn = 0,
): Promise<{ candidate: Candidate; reasons: ReadonlyMap<AdapterSourceName, string> }> {
  const found: Candidate[] = [];
  const reasons = new Map<AdapterSourceName, string>();
  const ask = async ({ name, find }: AdapterSource, mayDownload: boolean) => {
    const { candidates, reason } = await find(mayDownload);
    if (reason) reasons.set(name, reason);
    found.push(...candidates);
  };
  const isLikely = ({ name }: AdapterSource) => name !== "lavapipe" || mayMeanLavapipe(wanted);
  const likely = sources.filter(isLikely);
  for (const [index, source] of likely.entries()) {
    await ask(source, true);
    const [best, ...others] = found.filter(({ info }) => matches(wanted, info)).sort(byRank);
    const equals = [best, ...others].filter((each) => each?.info.kind === best?.info.kind);
    const candidate = equals[turn % equals.length];
    const next = likely[index + 1];
    if (candidate && (!next || rank(candidate.info.kind) <= rank(bestKind(next.name)))) {
      return { candidate, reasons };
    }
  }
  for (const source of sources) if (!isLikely(source)) await ask(source, false); // for the list
  const tried = [...reasons].map(([name, reason]) => `${name}: ${reason}`);
  throw noAdapter(
    wanted,
    found.sort(byRank).map(({ info }) => info),
    tried,
  );
}

/** Every adapter of the sources, best first, and why each of the other sources has none. */
export async function collectAdapters(
  sources: readonly AdapterSource[],
): Promise<{ adapters: AdapterDescription[]; reasons: string[] }> {
  const found: Candidate[] = [];
  const reasons: string[] = [];
  for (const { name, find } of sources) {
    const hasGood = found.some(({ info }) => rank(info.kind) <= rank("lavapipe"));
    const { candidates, reason } = await find(!hasGood);
    if (reason && !hasGood) reasons.push(`${name}: ${reason}`);
    found.push(...candidates);
  }
  return { adapters: found.sort(byRank).map(({ info }) => info), reasons };
}

function byRank(a: Candidate, b: Candidate): number {
  return rank(a.info.kind) - rank(b.info.kind);
}

const KINDS: readonly AdapterKind[] = ["hardware", "lavapipe", "swiftshader", "software"];

/** 0 for the best kind. */
function rank(kind: AdapterKind): number {
  return KINDS.indexOf(kind);
}

/** The best kind that a source can offer: what is found is final when nothing better can follow. */
function bestKind(source: AdapterSourceName): AdapterKind {
  return source === "system" || source === "browser" ? "hardware" : source;
}

/** Whether `wanted` (a kind, `gpu`, part of a name in any case, or "" for any) means this adapter. */
export function matches(
  wanted: string,
  { name, kind }: Pick<AdapterDescription, "name" | "kind">,
): boolean {
  const word = wanted.toLowerCase();
  if (word === "gpu" || word === "hardware") return kind === "hardware";
  return word === kind || name.toLowerCase().includes(word);
}

/** Whether lavapipe is worth a download: not for an adapter of another kind. */
export function mayMeanLavapipe(wanted: string): boolean {
  const word = wanted.toLowerCase();
  return word === "lavapipe" || "llvmpipe".includes(word) || word.startsWith("llvmpipe");
}

/** The error for a search that found nothing: what there is, or else what was tried and how it went. */
export function noAdapter(
  wanted: string,
  there: readonly AdapterDescription[],
  reasons: readonly string[],
): UserError {
  const tried = reasons.length > 0 ? ` Tried: ${reasons.join("; ")}.` : "";
  if (there.length > 0) {
    const list = there.map(({ name, kind }) => `"${name}" (${kind})`).join(", ");
    return new UserError(`no adapter matches "${wanted}". There are: ${list}.${tried}`);
  }
  const subject = wanted
    ? `no adapter matches "${wanted}"`
    : "no adapter for WebGPU can be had here";
  return new UserError(
    `${subject}.${tried} Install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers 23.2 or newer).`,
  );
}
