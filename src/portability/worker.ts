/**
 * The suite's worker: engine code alone, the same in Bun, Node, Deno and a page. It runs one case at a
 * time and says how it came out; whoever started it sees when it crashes or hangs.
 */
import { messageOf } from "../core/errors";
import type { Device } from "../gpu/device";
import { idOf, matchesId, type PortabilityCase, type SkippedRow, seedOf } from "./case";
import { allCases } from "./cases/index";
import { dissect } from "./dissect";
import { MutantMemory } from "./memory";
import type { ListedCase, Reply, Request } from "./messages";
import { GUARD_WORDS, Rig } from "./op_run";
import { replay } from "./replay";
import { shortest } from "./short_form";

export async function serve(
  device: Device,
  receive: AsyncIterable<unknown>,
  reply: (message: unknown) => void,
): Promise<void> {
  const worker = new SuiteWorker(device);
  let loss: Error | undefined;
  device.lost.then((error) => {
    loss = error;
  });
  for await (const request of receive) {
    let answer: Reply;
    try {
      answer = await worker.answer(request as Request);
    } catch (error) {
      answer = { error: messageOf(error) };
    }
    await new Promise((resolve) => setTimeout(resolve, 0)); // a loss may be told a little later
    if (loss) answer = { lost: loss.message };
    device.takeErrors();
    reply(answer);
  }
}

class SuiteWorker {
  private readonly rig: Rig;
  private mutated: { readonly key: string; readonly rig: Rig } | undefined;
  /** Kernels by case; null where the adapter cannot run it. */
  private readonly kernels = new Map<string, ReadonlySet<string> | null>();
  private readonly bySeed = new Map<number, ReadonlyMap<string, PortabilityCase>>();

  constructor(private readonly device: Device) {
    this.rig = new Rig(device);
  }

  async answer(request: Request): Promise<Reply> {
    switch (request.do) {
      case "list":
        return this.list(request);
      case "run": {
        const start = performance.now();
        const outcome = await this.find(request.id).run(this.rigFor(request));
        return { outcome, seconds: (performance.now() - start) / 1000 };
      }
      case "dissect":
        return { dissection: await dissect(this.find(request.id), this.rigFor(request)) };
      case "replay":
        return { words: await replay(this.device, request.packed) };
      default:
        return request satisfies never;
    }
  }

  private rigFor(request: Extract<Request, { do: "run" | "dissect" }>): Rig {
    const rig = this.plantedIn(request);
    if (request.do === "run" || !request.kind) return rig;
    const { device, memory, caps } = rig;
    return { device, memory, caps: { ...caps, kind: request.kind } };
  }

  /** The same memory, and pipelines, for a mutant that comes again. */
  private plantedIn({ mutant }: Extract<Request, { do: "run" | "dissect" }>): Rig {
    if (!mutant) return this.rig;
    const key = JSON.stringify(mutant);
    if (this.mutated?.key !== key) {
      const memory = new MutantMemory(this.device, GUARD_WORDS, mutant);
      this.mutated = { key, rig: new Rig(this.device, memory) };
    }
    return this.mutated.rig;
  }

  private casesOf(seed: number): ReadonlyMap<string, PortabilityCase> {
    const known = this.bySeed.get(seed);
    if (known) return known;
    const { cases } = allCases(this.rig, seed);
    const byId = new Map(cases.map((c) => [idOf(c), c]));
    if (byId.size < cases.length) throw new Error("two cases have one id");
    this.bySeed.set(seed, byId);
    return byId;
  }

  private find(id: string): PortabilityCase {
    const found = this.casesOf(seedOf(id) ?? 0).get(id);
    if (!found) throw new Error(`there is no case ${id} on this adapter`);
    return found;
  }

  private list({ seed, short, patterns, kernel }: Extract<Request, { do: "list" }>): Reply {
    const wanted = (id: string) =>
      patterns.length === 0 || patterns.some((pattern) => matchesId(pattern, id));
    const listed: ListedCase[] = [];
    const rows = new Map<string, PortabilityCase[]>();
    for (const [id, c] of this.casesOf(seed)) {
      if (!wanted(id) || !this.canRun(id, c)) continue;
      rows.set(c.row, [...(rows.get(c.row) ?? []), c]);
    }
    for (const [row, cases] of rows) {
      const some = short && (cases.length > 1 || patterns.length === 0);
      const chosen = some ? shortest(cases) : cases;
      for (const c of chosen) {
        const id = idOf(c);
        if (kernel !== undefined && !this.kernels.get(id)?.has(kernel)) continue;
        const apart = Boolean(c.dissect ?? c.record);
        const { patience = 0, problem = id } = c;
        listed.push({ id, row, patience, problem, apart });
      }
    }
    const { skipped } = allCases(this.rig, seed);
    const skippedRows = skipped.filter(({ row }) => wanted(`${row}/any`));
    return { listed, skipped: distinct(skippedRows) };
  }

  private canRun(id: string, { outline }: PortabilityCase): boolean {
    if (!outline) return true;
    let launched = this.kernels.get(id);
    if (launched === undefined) {
      const graph = outline(this.rig.caps);
      launched = graph ? new Set(graph.dispatches.map((d) => d.kernel.name)) : null;
      this.kernels.set(id, launched);
    }
    return launched !== null;
  }
}

function distinct(rows: readonly SkippedRow[]): SkippedRow[] {
  return [...new Map(rows.map((skip) => [skip.row, skip])).values()];
}
