/** Measures the first training step twice: with every kernel to be compiled, and with none. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeQuietly } from "../src/platform/leftovers";
import type { PresetName } from "../src/settings/presets";
import type { Bench } from "./bench";
import type { LatencyRow } from "./report/schema";

type Seconds = Omit<LatencyRow, "id" | "cache">;

/** Chunks stay of one size where the preset is scaled down: another size is other kernels. */
function latencySizes(bench: Bench, preset: PresetName): { pool: number; batch: number } {
  const { pool, batch } = bench.sizes(preset);
  return bench.isScaled(preset) ? { pool: batch, batch } : { pool, batch };
}

/** Runs first_step.ts with the drivers' caches of compiled kernels in `cache`. */
async function firstStep(bench: Bench, preset: PresetName, cache: string): Promise<Seconds> {
  const { pool, batch } = latencySizes(bench, preset);
  const script = join(import.meta.dir, "first_step.ts");
  const args = [preset, String(pool), String(batch), bench.settings.adapter ?? ""];
  const child = Bun.spawn([process.execPath, script, ...args], {
    env: { ...process.env, MESA_SHADER_CACHE_DIR: cache, __GL_SHADER_DISK_CACHE_PATH: cache },
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`first_step.ts ${args.join(" ")} failed`);
  return JSON.parse(text) as Seconds;
}

/** @param onRow gets each row as it is done */
export async function measureLatency(
  bench: Bench,
  onRow: (row: LatencyRow) => void,
): Promise<LatencyRow[]> {
  const rows: LatencyRow[] = [];
  for (const { preset, id } of bench.select(
    bench.settings.presets.map((preset) => ({ preset, id: `${preset} first step` })),
  )) {
    const cache = mkdtempSync(join(tmpdir(), "voxgrad-bench-"));
    try {
      for (const state of ["cold", "warm"] as const) {
        const row = {
          id: `${id} ${state}`,
          cache: state,
          ...(await firstStep(bench, preset, cache)),
        };
        rows.push(row);
        onRow(row);
      }
    } finally {
      removeQuietly(cache);
    }
  }
  return rows;
}
