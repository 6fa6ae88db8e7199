/** RADV's compiler on SPIR-V, chip by chip, each in a process of its own. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../src/core/errors";
import { DriverUnavailable } from "../../src/platform/driver";
import { removeQuietly } from "../../src/platform/leftovers";
import { radv } from "../../src/platform/mesa";
import type { Binding, Launch } from "./launches";
import type { Compiled } from "./radv_device";
import type { Spirv } from "./translate";

/** What the process of one chip is told. */
export interface RadvJob {
  /** The driver last. */
  readonly libraries: readonly string[];
  readonly shaders: readonly {
    readonly file: string;
    readonly entryPoint: string;
    readonly bindings: readonly Binding[];
  }[];
}

/** What a chip's compiler made of the shaders, in their order; undefined where it died. */
export interface ChipResult {
  readonly chip: string;
  /** The driver's version, in its own words. */
  readonly driver: string;
  readonly compiled: readonly (Compiled | undefined)[];
}

/**
 * @throws UserError where RADV cannot be had
 */
export async function radvLibraries(): Promise<readonly string[]> {
  try {
    return await radv({ mayDownload: true, quiet: false });
  } catch (error) {
    if (!(error instanceof DriverUnavailable)) throw error;
    throw new UserError(
      `RADV, Mesa's driver for AMD, cannot be had: ${error.message}; install mesa-vulkan-drivers 23.2 or newer`,
    );
  }
}

/** The shaders of one run as files, for the processes of all chips. */
export class ShaderFiles {
  private readonly folder = mkdtempSync(join(tmpdir(), "voxgrad-isa-"));
  private readonly shaders: RadvJob["shaders"];

  constructor(launches: readonly Launch[], spirv: readonly Spirv[]) {
    this.shaders = launches.map(({ bindings }, i) => {
      const file = join(this.folder, `${i}.spv`);
      const { words, entryPoint } = spirv[i]!;
      writeFileSync(file, words);
      return { file, entryPoint, bindings };
    });
  }

  /**
   * @param family as RADV_FORCE_FAMILY takes it
   * @throws UserError where RADV does not know it
   */
  async compile(libraries: readonly string[], family: string): Promise<ChipResult> {
    const compiled: (Compiled | undefined)[] = [];
    let about: Omit<ChipResult, "compiled"> | undefined;
    while (compiled.length < this.shaders.length) {
      const shaders = this.shaders.slice(compiled.length);
      const { lines, err } = await runChild({ libraries, shaders }, family);
      const [first, ...results] = lines;
      if (!first) throw new UserError(`--family ${family}: RADV made no device: ${reasonIn(err)}`);
      about ??= JSON.parse(first) as Omit<ChipResult, "compiled">;
      compiled.push(...results.map((line) => JSON.parse(line) as Compiled));
      if (results.length < shaders.length) compiled.push(undefined); // that one ended it
    }
    return { ...about!, compiled };
  }

  remove(): void {
    removeQuietly(this.folder);
  }
}

async function runChild(job: RadvJob, family: string) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "radv_child.ts")], {
    ...{ stdin: new Blob([JSON.stringify(job)]), stdout: "pipe", stderr: "pipe" },
    env: { ...process.env, RADV_FORCE_FAMILY: family, MESA_SHADER_CACHE_DISABLE: "1" },
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { lines: out.split("\n").filter((line) => line.startsWith("{")), err };
}

/** The driver's own line, else the first of the error. */
function reasonIn(err: string): string {
  const lines = err.split("\n").map((line) => line.trim());
  return (
    lines.find((line) => /family|error/i.test(line)) ?? lines.find(Boolean) ?? "no reason given"
  );
}
