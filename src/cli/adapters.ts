import { type AdapterDescription, limitsOf } from "../gpu/adapter";
import { noAdapter } from "../gpu/adapter_search";
import { surveyAdapters } from "../hosts/bun";
import { makeCommand } from "../terminal/command";
import { runMain } from "../terminal/main";
import { printResult } from "../terminal/result";

/** Limits that decide what fits, with the unit they are shown in. */
const MAIN_LIMITS = [
  ["maxBufferSize", "MiB"],
  ["maxStorageBufferBindingSize", "MiB"],
  ["maxComputeWorkgroupStorageSize", "KiB"],
  ["maxComputeInvocationsPerWorkgroup", ""],
  ["maxComputeWorkgroupsPerDimension", ""],
  ["maxStorageBuffersPerShaderStage", ""],
  ["minStorageBufferOffsetAlignment", "B"],
] as const;
const BYTES = { MiB: 2 ** 20, KiB: 2 ** 10, B: 1, "": 1 } as const;

const program = makeCommand(
  "adapters",
  "Lists the adapters (GPUs and software drivers) that voxgrad can run on, best first.",
).option("--json", "print everything, with all limits, as JSON");
program.parse();
await runMain(() => adapters(program.opts<{ json?: boolean }>().json === true));

async function adapters(json: boolean): Promise<void> {
  const { adapters: list, reasons } = await surveyAdapters();
  if (list.length === 0) throw noAdapter("", [], reasons);
  if (json) {
    printResult(JSON.stringify(list.map(plain), null, 2));
    return;
  }
  for (const [index, adapter] of list.entries()) {
    printResult(`${index === 0 ? "* " : "  "}${adapter.name}`);
    for (const [label, value] of rows(adapter)) printResult(`    ${label.padEnd(34)}${value}`);
  }
  for (const reason of reasons) printResult(`none from ${reason}`);
  printResult("* is the default; --adapter NAME or VOXGRAD_ADAPTER=NAME picks another.");
}

function rows(adapter: AdapterDescription): [string, string][] {
  const { subgroupSize: lanes, source } = adapter;
  const sizes = lanes && (lanes.min === lanes.max ? lanes.min : `${lanes.min} to ${lanes.max}`);
  return [
    ["kind", adapter.kind],
    ["driver", `${adapter.driver || "not stated"} (${adapter.backend})`],
    ["source", source === "system" ? "installed on this system" : `${source}, brought by voxgrad`],
    ["lanes per subgroup", sizes === null ? "no subgroups" : String(sizes)],
    ...MAIN_LIMITS.map(([name, unit]): [string, string] => {
      const value = Math.floor(adapter.limits[name] / BYTES[unit]);
      return [name, `${value.toLocaleString("en-US")} ${unit}`.trimEnd()];
    }),
    ...featureRows([...adapter.features].sort()),
  ];
}

/** The features in lines of at most 60 characters. */
function featureRows(features: readonly string[]): [string, string][] {
  const lines = [""];
  for (const feature of features) {
    const line = lines[lines.length - 1] ?? "";
    if (line.length + feature.length > 60) lines.push(feature);
    else lines[lines.length - 1] = line ? `${line}, ${feature}` : feature;
  }
  return lines.map((line, index) => [index === 0 ? "features" : "", line]);
}

/** JSON cannot hold the adapter's own limits object, nor a Set. */
function plain(adapter: AdapterDescription) {
  const { limits, features } = adapter;
  return { ...adapter, limits: limitsOf(limits), features: [...features].sort() };
}
