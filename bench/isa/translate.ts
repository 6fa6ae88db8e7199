/** WGSL to SPIR-V as Dawn translates it, by way of the disassembly that its toggle `dump_shaders` prints. */
import { join } from "node:path";
import { UserError } from "../../src/core/errors";
import { DriverUnavailable } from "../../src/platform/driver";
import { spirvAssembler } from "../../src/platform/spirv_tools";
import type { Launch } from "./launches";

/** What a line begins with after which Dawn's text of another shader follows. */
export const MARK = "==";

/** A shader as a Vulkan driver takes it. */
export interface Spirv {
  readonly words: Uint8Array;
  readonly entryPoint: string;
}

/** What child processes write. */
async function outputOf(child: Bun.Subprocess<Blob, "pipe", "pipe">) {
  const [out, err] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
  ]);
  return { out, err, code: await child.exited };
}

/**
 * The SPIR-V by WGSL.
 * @throws UserError where lavapipe or spirv-as cannot be had
 */
export async function translated(launches: readonly Launch[]): Promise<Map<string, Spirv>> {
  const assembler = await assemblerPath();
  // Dawn makes a pipeline once, and is silent when it is asked for it again.
  const distinct = [...new Map(launches.map((launch) => [launch.source, launch])).values()];
  const texts = await disassemblies(distinct);
  const made = new Map<string, Spirv>();
  for (const [i, launch] of distinct.entries()) {
    made.set(launch.source, await assembled(assembler, texts[i]!, launch));
  }
  return made;
}

async function assemblerPath(): Promise<string> {
  try {
    return await spirvAssembler({ mayDownload: true, quiet: false });
  } catch (error) {
    if (!(error instanceof DriverUnavailable)) throw error;
    throw new UserError(
      `spirv-as, which assembles Dawn's SPIR-V, cannot be had: ${error.message}; install the package spirv-tools`,
    );
  }
}

async function disassemblies(launches: readonly Launch[]): Promise<string[]> {
  const jobs = launches.map(({ source, bindings }) => ({ source, bindings }));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "translate_child.ts")], {
    ...{ stdin: new Blob([JSON.stringify(jobs)]), stdout: "pipe", stderr: "pipe" },
  });
  const { out, err, code } = await outputOf(child);
  if (code === 3) {
    throw new UserError(
      `lavapipe, on which Dawn translates, cannot be had: ${err.trim()}; install mesa-vulkan-drivers 23.2 or newer`,
    );
  }
  const parts = new TextDecoder()
    .decode(out)
    .split(new RegExp(`^${MARK} \\d+$`, "m"))
    .slice(1);
  return launches.map(({ id }, i) => {
    const text = parts[i]?.match(/^; SPIR-V\n[\s\S]*^ *OpFunctionEnd$/m)?.[0];
    if (text) return text;
    throw new Error(`Dawn gave no SPIR-V of ${id} (exit code ${code}):\n${err}`);
  });
}

/**
 * Names that assemblers learned late (SPIRV-Tools 2024), as numbers: Dawn asks for maximal reconvergence in
 * every shader.
 */
const NUMBERED: readonly (readonly [name: RegExp, word: string])[] = [
  [/\bMaximallyReconvergesKHR\b/g, "!6023"],
];

async function assembled(assembler: string, text: string, { id }: Launch): Promise<Spirv> {
  const version = /^; Version: (\d\.\d)$/m.exec(text)?.[1] ?? "1.3";
  const entryPoint = /OpEntryPoint GLCompute \S+ "([^"]+)"/.exec(text)?.[1] ?? "main";
  const known = NUMBERED.reduce((all, [name, word]) => all.replace(name, word), text);
  const child = Bun.spawn([assembler, "--target-env", `spv${version}`, "-o", "-", "-"], {
    ...{ stdin: new Blob([known]), stdout: "pipe", stderr: "pipe" },
  });
  const { out, err, code } = await outputOf(child);
  if (code !== 0) throw new Error(`spirv-as on ${id}: ${err}`);
  return { words: out, entryPoint };
}
