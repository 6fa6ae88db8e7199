/**
 * The text of a bug report in the form that a project asks for: the headings of its template, filled in
 * from what the suite found. "To fill in" begins a line that only the one who reports knows.
 */
import { readFileSync } from "node:fs";
import { cpus, release, type } from "node:os";
import type { Finding } from "./reduce";
import type { Column } from "./runner";

export interface TrackerReport {
  readonly project: string;
  /** Where a new report is begun. */
  readonly url: string;
  readonly file: string;
  readonly text: string;
}

/** What a template is filled in from. */
interface Facts {
  readonly id: string;
  readonly column: Column;
  readonly finding: Finding;
}

interface Tracker {
  readonly project: string;
  readonly url: string;
  readonly file: string;
  /** Whether the project has made a part of what the column runs on. */
  concerns(column: Column): boolean;
  readonly text: (facts: Facts) => string;
}

const DAWN = ["bun", "node", "chromium"];
const WGPU = ["deno", "firefox"];

/** Templates: .gitlab/issue_templates of Mesa, .github/ISSUE_TEMPLATE of wgpu, chromium.org's guidelines. */
const TRACKERS: readonly Tracker[] = [
  {
    project: "Mesa",
    url: "https://gitlab.freedesktop.org/mesa/mesa/-/issues/new",
    file: "report_mesa.md",
    concerns: ({ adapter }) =>
      /mesa|radv|lavapipe|llvmpipe/i.test(`${adapter.driver} ${adapter.kind}`),
    text: mesa,
  },
  {
    project: "Dawn",
    url: "https://crbug.com/dawn/new",
    file: "report_dawn.md",
    concerns: ({ host }) => DAWN.includes(host.name),
    text: dawn,
  },
  {
    project: "Chromium",
    url: "https://issues.chromium.org/issues/new?noWizard=true&component=1456980",
    file: "report_chromium.md",
    concerns: ({ host }) => host.name === "chromium",
    text: chromium,
  },
  {
    project: "wgpu",
    url: "https://github.com/gfx-rs/wgpu/issues/new/choose",
    file: "report_wgpu.md",
    concerns: ({ host }) => WGPU.includes(host.name),
    text: wgpu,
  },
];

/** The reports for the projects that may be at fault for what a column gets wrong. */
export function trackerReports(id: string, column: Column, finding: Finding): TrackerReport[] {
  return TRACKERS.filter(({ concerns }) => concerns(column)).map((tracker) => ({
    ...{ project: tracker.project, url: tracker.url, file: tracker.file },
    text: tracker.text({ id, column, finding }),
  }));
}

function system(): string {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
    if (name) return name;
  } catch {
    // Not a Linux.
  }
  return `${type()} ${release()}`;
}

const kernel = () => `${type()} ${release()} ${process.arch}`;
const processor = () => `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores`;

const versionsOf = ({ adapter }: Column) =>
  Object.entries(adapter.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");

const driverOf = ({ adapter }: Column) => adapter.driver || "not stated by the adapter";

const title = ({ column, finding }: Facts) =>
  `Compute shader ${finding.kernel}: wrong on ${column.adapter.name} in ${column.host.name}`;

/** What happens, in sentences. */
function description({ finding }: Facts): string {
  const { packed, summary, truth, wrongRuns, rightOn } = finding;
  const grids = packed.dispatches.map(
    (d) => `${d.kernel} (${d.workgroups.join(" × ")} workgroups)`,
  );
  const many = grids.length === 1 ? "one compute dispatch" : `${grids.length} compute dispatches`;
  return [
    `The reproduction runs ${many} in one pass: ${grids.join(", ")}.`,
    `Found: ${summary}.`,
    `The expected output is ${truth}.`,
    wrongRuns ? `It came out wrong in ${wrongRuns[0]} of ${wrongRuns[1]} runs.` : "",
    rightOn
      ? `The same case is right on ${rightOn}.`
      : "No other implementation here ran it right.",
    `Features needed: ${packed.features.join(", ") || "none"}.`,
  ]
    .filter(Boolean)
    .join("\n");
}

/** The first wrong elements, or what else was told. */
function observed({ finding }: Facts): string {
  const lines = finding.examples?.length ? finding.examples : [finding.summary];
  return ["```", ...lines, "```"].join("\n");
}

const files = ({ finding: { packed } }: Facts) =>
  packed.dispatches.length === 1 ? `${packed.dispatches[0]!.kernel}.wgsl` : "*.wgsl";

const steps = (facts: Facts, ...first: string[]) =>
  [...first, `The last line says FAILED; the lines before it say which elements are wrong.`]
    .map((line, i) => `${i + 1}. ${line}`)
    .join("\n")
    .concat(
      `\n\nThe shader is ${files(facts)}. The folder of the reproduction is attached as an archive.`,
    );

const IN_BROWSER =
  "Open the attached reproduce.html in the browser. It needs no server and no network.";
const WITH_NODE =
  "In the attached folder: `npm install webgpu`, then `node reproduce.mjs` (Node 20 or newer, or Bun).";
const WITH_DENO = "In the attached folder: `deno run --allow-read --allow-env reproduce.mjs`.";

/** How the column itself is had. */
function own({ column }: Facts): string {
  if (column.host.name === "deno") return WITH_DENO;
  return column.host.name === "chromium" || column.host.name === "firefox" ? IN_BROWSER : WITH_NODE;
}

function mesa(facts: Facts): string {
  const { column } = facts;
  const mesaVersion = /Mesa ([\w.~+-]+)/.exec(column.adapter.driver)?.[1] ?? "To fill in";
  return `# ${title(facts)}

### System information

- OS: ${system()}
- GPU: ${column.adapter.name}
- Processor: ${processor()}
- Kernel version: ${kernel()}
- Mesa version: ${mesaVersion} (${driverOf(column)})
- Xserver, desktop manager, compositor: none is involved
- Vulkan application: ${column.host.name} (${versionsOf(column)})

### Describe the issue

${description(facts)}

${steps(facts, own(facts), "To choose the driver, set `VK_DRIVER_FILES` to its json file.")}

Wrong elements:

${observed(facts)}

### Regression

To fill in: the last version of Mesa that was right, if one is known.

### Log files as attachment

To fill in: \`dmesg\`, and a backtrace if the driver crashed.

### Any extra information

${extra(facts)}
`;
}

function dawn(facts: Facts): string {
  const { column } = facts;
  return `# ${title(facts)}

## Description

${description(facts)}

## Steps to reproduce

${steps(facts, own(facts))}

## Expected and observed

${observed(facts)}

## Environment

- Dawn: of ${column.host.name} (${versionsOf(column)})
- Backend: ${column.adapter.backend}; adapter: ${column.adapter.name}
- Driver: ${driverOf(column)}
- OS: ${system()}, ${kernel()}
- Toggles: voxgrad sets \`allow_unsafe_apis\` in Bun and Node; the reproduction sets none
- To fill in: whether the newest Dawn fails too, and a test of the WebGPU CTS that shows the same

## More

${extra(facts)}
`;
}

function chromium(facts: Facts): string {
  const { column } = facts;
  return `# ${title(facts)}

**Steps to reproduce the problem**

${steps(facts, "Start Chromium with `--enable-unsafe-webgpu --enable-features=Vulkan` (Linux).", IN_BROWSER)}

**Problem description**

${description(facts)}

**Expected behaviour, and what was seen instead**

${observed(facts)}

**Does it work in other browsers?**

${facts.finding.rightOn ? `Right on ${facts.finding.rightOn}.` : "To fill in: open reproduce.html in another browser."}

**Browser and system**

- Version: ${versionsOf(column)}
- Channel: To fill in
- OS: ${system()}, ${kernel()}
- Adapter: ${column.adapter.name}, ${column.adapter.backend}; driver: ${driverOf(column)}
- To fill in: the text of chrome://gpu, as an attachment; whether Canary fails too; the last version that was right

**Additional comments**

${extra(facts)}
`;
}

function wgpu(facts: Facts): string {
  const { column } = facts;
  return `# ${title(facts)}

**Description**

${description(facts)}

**Repro steps**

${steps(facts, own(facts))}

**Expected vs observed behavior**

${observed(facts)}

**Extra materials**

The folder of the reproduction: ${files(facts)}, data, expected output.
To fill in: whether \`naga\` of trunk accepts the shader, and its validation messages, if there are any.

${extra(facts)}

**Platform**

- ${column.host.name} (${versionsOf(column)})
- Adapter: ${column.adapter.name}, ${column.adapter.backend}; driver: ${driverOf(column)}
- OS: ${system()}, ${kernel()}; ${processor()}
`;
}

const extra = ({ id }: Facts) =>
  `Found by the portability suite of voxgrad, case \`${id}\`. The reproduction does not need voxgrad.`;
