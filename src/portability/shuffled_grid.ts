/**
 * Workgroups numbered from the other end, and their invocations in a scattered order. A software driver runs
 * workgroups nearly one after the other, and invocations in order, eight or four at a time: a kernel that
 * lacks a barrier, or reads what another workgroup writes, may be right by that order alone. Here
 * neighbours are far apart, some before and some after one another. Kernels with subgroups keep
 * the numbers of their invocations, which the adapter gives.
 */
import type { Graph } from "../core/graph";
import type { Kernel } from "../core/kernel";

/** The line before the entry point, its parameters, and the start of its body. */
const ENTRY = /@compute @workgroup_size\(([\w, ]+)\)\s+fn main\(([\s\S]*?)\) \{\n/;
const PARAMETER = /@builtin\((\w+)\) (\w+): /g;
/**
 * A prime that divides no workgroup's size. In workgroups of 64 invocations and more, those up to 7 apart come
 * to lie at least 7 apart, some before and some after one another.
 */
export const FACTOR = 521;
const IN_SUBGROUP = /^subgroup_/;
const KNOWN = ["workgroup_id", "num_workgroups", "local_invocation_index"];

/** The graph with every kernel shuffled that can be; undefined where none can. */
export function shuffle(graph: Graph): Graph | undefined {
  let changed = false;
  for (const [i, d] of graph.dispatches.entries()) {
    const kernel = shuffled(d.kernel);
    changed ||= kernel !== d.kernel;
    graph.dispatches[i] = { ...d, kernel };
  }
  return changed ? graph : undefined;
}

/**
 * The same kernel where its entry point asks for none of these numbers. One that asks for the global id
 * alone has all invocations from the other end.
 * @throws Error where its entry point has another form, or asks for something else
 */
export function shuffled(kernel: Kernel): Kernel {
  const entry = ENTRY.exec(kernel.source);
  if (!entry) throw new Error(`${kernel.name}.wgsl: expected "${ENTRY.source}"`);
  const [head, size, parameters] = entry as unknown as [string, string, string];
  const names = new Map(
    [...parameters.matchAll(PARAMETER)].map(([, builtin, name]) => [builtin!, name!]),
  );
  const unknown = [...names.keys()].filter(
    (name) => !KNOWN.includes(name) && !IN_SUBGROUP.test(name),
  );
  if (unknown.length > 0 && (names.size > 1 || unknown[0] !== "global_invocation_id")) {
    throw new Error(`${kernel.name}.wgsl: cannot renumber ${unknown.join(", ")}`);
  }
  const groups = names.get("num_workgroups") ?? "workgroups_in_all";
  const [x = "", y = "1u", z = "1u"] = size.split(/, */);
  const lanes = `${x} * ${y} * ${z}`;
  const numbered: Record<string, (was: string) => string> = {
    workgroup_id: (was) => `${groups} - 1u - ${was}`,
    global_invocation_id: (was) => `${groups} * vec3u(${x}, ${y}, ${z}) - 1u - ${was}`,
    // The first, which often does what others wait for, in the middle.
    local_invocation_index: (was) => `(${was} + ${lanes} / 2u) * ${FACTOR}u % (${lanes})`,
  };
  if (kernel.subgroups) delete numbered.local_invocation_index;
  const lines: string[] = [];
  let taken = parameters;
  for (const [builtin, number] of Object.entries(numbered)) {
    const name = names.get(builtin);
    if (name === undefined) continue;
    taken = taken.replace(`@builtin(${builtin}) ${name}:`, `@builtin(${builtin}) ${name}_before:`);
    lines.push(`  let ${name} = ${number(`${name}_before`)};\n`);
  }
  if (lines.length === 0) return kernel;
  if (!names.has("num_workgroups")) taken = `@builtin(num_workgroups) ${groups}: vec3u, ${taken}`;
  const turned = head.replace(parameters, () => taken) + lines.join("");
  return { ...kernel, source: kernel.source.replace(head, () => turned) };
}
