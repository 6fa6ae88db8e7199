/** The report of `bun run bench isa` as lines for a terminal, and as a table for a page. */
import { table } from "../../terminal/text_table";
import type { Build, IsaReport, IsaShader } from "./schema";

/** Fewer hide little of what loads take. */
export const LEAST_WAVES = 4;

/** Registers that do not fit go to memory; with few waves a SIMD waits for it. */
export function isPoor({ wavesPerSimd, ...build }: Build): boolean {
  return spilled(build) > 0 || build.scratchBytes > 0 || wavesPerSimd < LEAST_WAVES;
}

const spilled = (build: Pick<Build, "spilledVgprs" | "spilledSgprs">) =>
  build.spilledVgprs + build.spilledSgprs;

/** Shaders of one kernel and variant. */
interface Group {
  readonly kernel: string;
  readonly variant: string;
  readonly shaders: readonly IsaShader[];
}

export function groupsOf({ shaders }: Pick<IsaReport, "shaders">): Group[] {
  const groups = Map.groupBy(shaders, (each) => `${each.kernel} ${each.variant ?? ""}`);
  return [...groups.values()]
    .map((all) => ({ kernel: all[0]!.kernel, variant: all[0]!.variant ?? "", shaders: all }))
    .sort((a, b) => (a.kernel + a.variant < b.kernel + b.variant ? -1 : 1));
}

/** Of the shaders of a group on one chip the most registers and the fewest waves: `156 v  1 w`. */
export function cellOf({ shaders }: Group, family: string): string {
  const built = shaders.flatMap(({ builds }) => (family in builds ? [builds[family]!] : []));
  if (built.length === 0) return "";
  const done = built.filter((build) => build !== null);
  if (done.length < built.length) return "died";
  const most = (of: (build: Build) => number) => Math.max(...done.map(of));
  const spills = most(spilled);
  const waves = Math.min(...done.map(({ wavesPerSimd }) => wavesPerSimd));
  const note = spills > 0 ? ` ${spills} spilled` : "";
  return `${most(({ vgprs }) => vgprs)} v ${String(waves).padStart(2)} w${note}`;
}

export const HEADING =
  "Nothing runs on a card, so nothing is measured: registers, waves and cycles are what Mesa's compiler for AMD " +
  "says of its own code.";

/** What stands above the table of a report. */
export const isaLegend = ({ driver }: Pick<IsaReport, "driver">): string =>
  `RADV, ${driver}: most vector registers (v) of a lane and fewest waves per SIMD (w) of each kernel's shaders. ` +
  "On RDNA a wave counts for each 32 lanes. Kernels on subgroup matrices are not there: without a card no " +
  "adapter translates them.";

/** Kernel × family, the head first. */
export function isaTable(report: IsaReport): string[][] {
  const { families } = report;
  const names = families.map(({ name, architecture }) => `${name} ${architecture}`.trimEnd());
  const rows = groupsOf(report).map((group) => [
    group.kernel,
    group.variant,
    String(group.shaders.length),
    ...families.map(({ name }) => cellOf(group, name)),
  ]);
  return [["kernel", "variant", "shaders", ...names], ...rows];
}

export function isaLines(report: IsaReport): string[] {
  return [isaLegend(report), ...table(isaTable(report), [0, 1]), ...poorLines(report)];
}

/** Default shaders that spill or leave few waves. */
export function poorLines({ shaders, families }: IsaReport): string[] {
  const poor = families.flatMap(({ name }) =>
    shaders.flatMap(({ id, defaultOn, builds }) => {
      const build = builds[name];
      const isBad = defaultOn.includes(name) && build !== undefined && (!build || isPoor(build));
      return isBad ? [`  ${name}: ${id}: ${build ? complaint(build) : "the compiler died"}`] : [];
    }),
  );
  const what = `spills or has fewer than ${LEAST_WAVES} waves per SIMD`;
  if (poor.length === 0) return [`no default shader ${what}`];
  return [`default shaders of which each ${what}: ${poor.length}`, ...poor];
}

function complaint(build: Build): string {
  const { wavesPerSimd, vgprs, scratchBytes } = build;
  const spills = spilled(build);
  return [
    `${vgprs} vector registers, ${wavesPerSimd} waves`,
    ...(spills > 0 ? [`${spills} registers spilled`] : []),
    ...(scratchBytes > 0 ? [`${scratchBytes} bytes of scratch`] : []),
  ].join(", ");
}

const DETAILS: readonly (readonly [head: string, value: (build: Build) => number])[] = [
  ["VGPRs", (b) => b.vgprs],
  ["SGPRs", (b) => b.sgprs],
  ["spilled", spilled],
  ["scratch", (b) => b.scratchBytes],
  ["LDS", (b) => b.ldsBytes],
  ["lanes", (b) => b.lanes],
  ["waves", (b) => b.wavesPerSimd],
  ["code", (b) => b.codeBytes],
  ["latency", (b) => b.latency],
  ["1/throughput", (b) => b.inverseThroughput],
];

/** Every shader by itself on every chip. */
export function detailLines({ shaders, families }: IsaReport): string[] {
  const rows = shaders.flatMap(({ id, builds }) =>
    families.flatMap(({ name }) => {
      const build = builds[name];
      if (build === undefined) return [];
      const values = DETAILS.map(([, value]) => (build ? String(value(build)) : "died"));
      return [[name, ...values, id]];
    }),
  );
  const head = ["family", ...DETAILS.map(([name]) => name), "shader"];
  return table([head, ...rows], [0, head.length - 1]);
}

/** What differs on the chips that both reports have. */
export function isaComparison(before: IsaReport, after: IsaReport): string[] {
  const old = new Map(before.shaders.map((shader) => [shader.id, shader]));
  const lines = after.shaders.flatMap(({ id, builds }) =>
    Object.entries(builds).flatMap(([family, build]) => {
      const other = old.get(id)?.builds[family];
      if (other === undefined) return [];
      const changes = DETAILS.flatMap(([name, value]) => {
        const [from, to] = [other, build].map((each) => (each ? String(value(each)) : "died"));
        return from === to ? [] : [`${name} ${from} → ${to}`];
      });
      return changes.length > 0 ? [`  ${family}: ${id}: ${changes.join(", ")}`] : [];
    }),
  );
  const now = new Set(after.shaders.map(({ id }) => id));
  const added = after.shaders.filter(({ id }) => !old.has(id));
  const gone = before.shaders.filter(({ id }) => !now.has(id));
  const drivers =
    before.driver === after.driver ? [] : [`another compiler before: ${before.driver}`];
  return [
    `compared with ${before.date}: ${lines.length} differ, ${added.length} new, ${gone.length} gone`,
    ...drivers,
    ...lines,
    ...added.map(({ id }) => `  new: ${id}`),
    ...gone.map(({ id }) => `  gone: ${id}`),
  ];
}
