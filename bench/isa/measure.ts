/** From the engine's kernels to the report: translated once, compiled for every chip. */
import { version as dawnVersion } from "webgpu/package.json";
import { version } from "../../package.json";
import { UserError } from "../../src/core/errors";
import {
  type Build,
  ISA_VERSION,
  type IsaReport,
  type IsaShader,
} from "../../src/portability/isa/schema";
import { architectureOf } from "./families";
import { amdGpu, type Launch, launches } from "./launches";
import { radvLibraries, ShaderFiles } from "./radv";
import type { Compiled } from "./radv_device";
import { translated } from "./translate";

export interface IsaRequest {
  readonly families: readonly string[];
  /** Only kernels whose name or variant it matches. */
  readonly kernel?: RegExp;
  /** Every variant that an AMD GPU can run, not only the defaults. */
  readonly all: boolean;
}

/** The driver's names of its statistics. */
function buildOf({ statistics, lanes }: Compiled): Build {
  const value = (name: string) => {
    const found = statistics[name];
    if (found === undefined) throw new Error(`RADV gave no statistic "${name}"`);
    return found;
  };
  return {
    vgprs: value("VGPRs"),
    sgprs: value("SGPRs"),
    spilledVgprs: value("Spilled VGPRs"),
    spilledSgprs: value("Spilled SGPRs"),
    scratchBytes: value("Scratch size"),
    ldsBytes: value("LDS size"),
    wavesPerSimd: value("Subgroups per SIMD"),
    lanes,
    codeBytes: value("Code size"),
    instructions: value("Instructions"),
    latency: value("Latency"),
    inverseThroughput: value("Inverse Throughput"),
  };
}

/** What each family launches, and all of it together, each shader once. */
function wanted({ families, kernel, all }: IsaRequest) {
  const byFamily = new Map(
    families.map((family) => {
      const own = launches(amdGpu(architectureOf(family)), all);
      const named = (l: Launch) => kernel?.test(`${l.kernel} ${l.variant ?? ""}`.trim()) ?? true;
      return [family, own.filter(named)] as const;
    }),
  );
  const union = new Map([...byFamily.values()].flat().map((launch) => [launch.id, launch]));
  return { byFamily, union: [...union.values()] };
}

/**
 * @param onFamily hears of each chip before its turn
 * @throws UserError where no kernel matches, what compiles cannot be had, or RADV knows no such chip
 */
export async function measureIsa(
  request: IsaRequest,
  onFamily: (family: string, shaders: number) => void,
): Promise<IsaReport> {
  const { byFamily, union } = wanted(request);
  if (union.length === 0) {
    throw new UserError(
      `--kernel ${request.kernel?.source}: no kernel matches; try part of a file's name in shaders/, or --all`,
    );
  }
  const libraries = await radvLibraries();
  const spirv = await translated(union);
  const shaders = new Map(union.map((launch) => [launch.id, emptyShader(launch)]));
  const families: IsaReport["families"] = [];
  let driver = "";
  for (const [family, own] of byFamily) {
    onFamily(family, own.length);
    const files = new ShaderFiles(
      own,
      own.map(({ source }) => spirv.get(source)!),
    );
    const result = await files.compile(libraries, family).finally(() => files.remove());
    driver = result.driver;
    families.push({ name: family, architecture: architectureOf(family), chip: result.chip });
    for (const [i, { id, isDefault }] of own.entries()) {
      const shader = shaders.get(id)!;
      const compiled = result.compiled[i];
      shader.builds[family] = compiled ? buildOf(compiled) : null;
      if (isDefault) shader.defaultOn.push(family);
    }
  }
  const versions = { voxgrad: version, bun: Bun.version, webgpu: dawnVersion };
  const date = new Date().toISOString();
  return { version: ISA_VERSION, date, driver, versions, families, shaders: [...shaders.values()] };
}

function emptyShader({ id, kernel, variant, precision }: Launch): IsaShader {
  return { id, kernel, variant, precision, defaultOn: [], builds: {} };
}
