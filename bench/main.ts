/** `bun run bench`: see docs/measurements/performance.md. */
import { mkdtempSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Argument, Option } from "commander";
import { version as dawnVersion } from "webgpu/package.json";
import { ops } from "../kernels/index";
import { version } from "../package.json";
import { type TuneFlags, withTuneOptions } from "../src/choose/tune_options";
import { UserError } from "../src/core/errors";
import type { Op } from "../src/core/op";
import type { Precision } from "../src/core/tensor";
import type { Variant } from "../src/core/variant";
import { writeAtomically } from "../src/platform/atomic_file";
import { removeQuietly } from "../src/platform/leftovers";
import { setNativeEnv } from "../src/platform/native";
import { tuneAtTerminal } from "../src/run/terminal_observer";
import { PRESET_NAMES, presetOf } from "../src/settings/presets";
import { ADAPTER_OPTION, makeCommand } from "../src/terminal/command";
import { checkPaths, given } from "../src/terminal/command_paths";
import { runMain } from "../src/terminal/main";
import { listOption, numberOption, repeatedOption } from "../src/terminal/options";
import { printResult } from "../src/terminal/result";
import { Bench, parseVariant, type Settings } from "./bench";
import { addIsa } from "./isa/command";
import { measureKernels } from "./kernels";
import { measureLatency } from "./latency";
import { measureLayers } from "./layers";
import { needsOf } from "./needs";
import { measureOps } from "./ops";
import { compareReports, comparisonLines } from "./report/compare";
import { writeDocs } from "./report/docs";
import { REPORT_VERSION, type Report, readReport, reportSchema } from "./report/schema";
import {
  ceilingLines,
  kernelLine,
  latencyLine,
  layerLine,
  scalingLines,
  stepLines,
} from "./report/text";
import { measureScaling } from "./scaling";
import { measureSteps } from "./steps";

const PARTS = ["ceilings", "kernels", "ops", "layers", "steps", "latency", "scaling"] as const;
type Part = (typeof PARTS)[number];
const PARTS_BY_DEFAULT: readonly Part[] = ["kernels", "layers", "steps", "latency"];
const DOCS = join(import.meta.dir, "../docs/measurements/performance.md");

interface Options extends TuneFlags {
  adapter?: string;
  preset: string[];
  repetitions: number;
  full?: boolean;
  filter?: string;
  precision: Precision;
  variant: string[];
  patches?: number;
  pool?: number;
  batch?: number;
  volume?: number;
  coldCache?: boolean;
  json?: string;
  compare?: string;
  docs?: boolean;
}

const parts = new Argument("[parts...]", "what to measure; default: all but ops and scaling");
const command = makeCommand(
  "bench",
  "Measures the adapter's ceilings, every kernel of the recorded programs, convolutions, whole steps, the first " +
    "step's latency, and how cost grows.",
)
  .addArgument(parts.choices(PARTS))
  .option(...ADAPTER_OPTION)
  .option("--preset <names>", `some of ${PRESET_NAMES.join(", ")}`, listOption, ["paper", "small"])
  .option("--repetitions <n>", "timed repetitions of each row", numberOption, 5)
  .option("--full", "the presets' own sizes also on a software adapter: minutes")
  .option("--filter <regex>", "only rows whose name matches")
  .addOption(
    new Option("--precision <p>", "how layers and steps store activations")
      .choices(["f32", "f16"])
      .default("f32"),
  )
  .option(
    "--variant <pick=name>",
    "variant of a kernel in training, repeatable",
    repeatedOption,
    [],
  )
  .option("--patches <n>", "patches of a dispatch in the table of kernels", numberOption)
  .option("--pool <n>", "B̄ of the steps", numberOption)
  .option("--batch <n>", "B of the steps", numberOption)
  .option("--volume <n>", "edge of the predicted cube, voxels", numberOption)
  .option("--cold-cache", "compile every kernel anew (Mesa's cache in an empty folder)")
  .option("--json <file>", "write everything as JSON")
  .option("--compare <file>", "ratio of each row to an earlier --json file")
  .option("--docs", "put tables and pictures into docs/measurements/performance.md");
withTuneOptions(command);
command.action(() => runMain(() => main(command.args as Part[], command.opts<Options>())));
addIsa(command);
await command.parseAsync();

function settingsOf(options: Options): Settings {
  const presets = options.preset.map(presetOf);
  let filter: RegExp | undefined;
  try {
    filter = options.filter === undefined ? undefined : new RegExp(options.filter);
  } catch (error) {
    throw new UserError(`--filter ${options.filter}: ${(error as Error).message}`);
  }
  for (const name of ["repetitions", "patches", "pool", "batch", "volume"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new UserError(`--${name} ${value}: expected a positive whole number`);
    }
  }
  const { adapter, repetitions, full = false, precision, patches, pool, batch, volume } = options;
  const variants = Object.fromEntries(options.variant.map(parseVariant));
  const sizes = { patches, pool, batch, volume };
  return { adapter, presets, repetitions, full, filter, precision, variants, ...sizes };
}

/**
 * @throws UserError where an option names a choice that no op makes, or a variant that it has not; one
 * that this adapter cannot run is refused when it is recorded
 */
function checkVariants({ variants }: Settings): void {
  const picks = new Map<string, readonly Variant[]>(
    Object.values(ops).flatMap((op: Op<never>) => Object.entries(op.variants ?? {})),
  );
  for (const [pick, name] of Object.entries(variants)) {
    const names = picks.get(pick)?.map((variant) => variant.name);
    if (names?.includes(name)) continue;
    const there = [...(names ?? picks.keys())].join(", ");
    throw new UserError(`--variant ${pick}=${name}: expected one of ${there}`);
  }
}

function emptyReport(bench: Bench, options: Options): Report {
  const { name, driver, kind, backend } = bench.device.info;
  const [first] = cpus();
  return {
    version: REPORT_VERSION,
    date: new Date().toISOString(),
    adapter: { name, driver, kind, backend },
    versions: { voxgrad: version, bun: Bun.version, webgpu: dawnVersion },
    cpu: { model: first?.model ?? "unknown", cores: cpus().length },
    settings: {
      repetitions: options.repetitions,
      patches: bench.sizes(bench.settings.presets[0]!).patches,
      tune: options.tune,
      ...(options.precision !== "f32" && { precision: options.precision }),
      ...(options.coldCache && { cache: "cold" }),
      ...(options.filter && { filter: options.filter }),
      ...Object.fromEntries(options.variant.map(parseVariant)),
    },
    ceilings: bench.ceilings,
    kernels: [],
    unusedOps: [],
    ops: [],
    layers: [],
    steps: [],
    latency: [],
    scaling: [],
  };
}

function print(lines: readonly string[]): void {
  printResult(lines.join("\n"));
}

async function measure(bench: Bench, report: Report, wanted: ReadonlySet<Part>): Promise<void> {
  if (wanted.has("kernels")) {
    const measured = await measureKernels(bench, (row) => print([kernelLine(row)]));
    Object.assign(report, measured);
  }
  if (wanted.has("ops")) {
    report.ops = await measureOps(bench, (row) => print([kernelLine(row)]));
  }
  if (wanted.has("layers")) {
    report.layers = await measureLayers(bench, (row) => print([layerLine(row)]));
  }
  if (wanted.has("steps")) report.steps = await measureSteps(bench, (row) => print(stepLines(row)));
  if (wanted.has("latency")) {
    report.latency = await measureLatency(bench, (row) => print([latencyLine(row)]));
  }
  if (wanted.has("scaling")) {
    report.scaling = await measureScaling(bench, (row) => print(scalingLines(row)));
  }
}

/** With the kernels that the tuner chose, where a part runs a preset; undefined: interrupted. */
async function tuned(
  bench: Bench,
  wanted: ReadonlySet<Part>,
  options: Options,
): Promise<Bench | undefined> {
  if ([...wanted].every((part) => part === "ops" || part === "ceilings")) return bench;
  const { choices, interrupted } = await tuneAtTerminal(bench.device, needsOf(bench), options);
  return interrupted ? undefined : bench.withChoices(choices);
}

async function main(args: readonly Part[], options: Options): Promise<void> {
  const settings = settingsOf(options);
  checkVariants(settings);
  checkPaths({
    reads: [given("--compare", options.compare)],
    writes: [given("--json", options.json)],
  });
  const before = options.compare === undefined ? undefined : readReport(options.compare);
  const cache = options.coldCache ? mkdtempSync(join(tmpdir(), "voxgrad-bench-")) : undefined;
  if (cache) setNativeEnv("MESA_SHADER_CACHE_DIR", cache);
  try {
    const opened = await Bench.open(settings);
    print(ceilingLines(opened.ceilings));
    const wanted = new Set(args.length > 0 ? args : PARTS_BY_DEFAULT);
    const bench = await tuned(opened, wanted, options);
    if (!bench) return;
    const report = emptyReport(bench, options);
    await measure(bench, report, wanted);
    bench.close();
    await finish(report, options, before);
  } finally {
    if (cache) removeQuietly(cache);
  }
}

async function finish(report: Report, options: Options, before?: Report): Promise<void> {
  const rows = [
    report.kernels,
    report.ops,
    report.layers,
    report.steps,
    report.latency,
    report.scaling,
  ];
  if (options.filter && rows.every((list) => list.length === 0)) {
    throw new UserError(`--filter ${options.filter}: no row matches; try part of a kernel's name`);
  }
  if (before) print(comparisonLines(compareReports(before, report)));
  if (options.json !== undefined) {
    writeAtomically(options.json, `${JSON.stringify(reportSchema.parse(report), null, 1)}\n`);
  }
  if (options.docs) {
    for (const marker of writeDocs(report, DOCS)) {
      print([
        `${DOCS} has no <!-- bench: ${marker} --> … <!-- end: ${marker} -->; not written there`,
      ]);
    }
  }
}
