/** Writes the folder of a stand-alone reproduction. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Expectation, fromBase64, toBase64 } from "./packed";
import type { Finding } from "./reduce";
import type { Column } from "./runner";
import page from "./standalone/reproduce.html" with { type: "text" };
import program from "./standalone/reproduce.mjs" with { type: "text" };
import { trackerReports } from "./tracker_reports";

/** Files of the folder, as base64, by their names. */
type Files = Record<string, string>;

export function writeFolder(folder: string, id: string, column: Column, finding: Finding): void {
  const files = caseFiles(finding);
  mkdirSync(join(folder, "data"), { recursive: true });
  const write = (name: string, content: string | Uint8Array) =>
    writeFileSync(join(folder, name), content);
  for (const [name, data] of Object.entries(files)) write(name, fromBase64(data));
  write("reproduce.mjs", program as unknown as string);
  write("reproduce.html", pageOf(id, column, finding, files));
  const reports = trackerReports(id, column, finding);
  for (const { file, text } of reports) write(file, text);
  write("README.md", readme(id, column, finding, reports));
}

/** What the program reads: case.json, shaders and data. */
function caseFiles({ packed, expected }: Finding): Files {
  const files: Files = {};
  const add = (name: string, base64: string) => {
    files[name] = base64;
    return name;
  };
  const text = (name: string, content: string) =>
    add(name, toBase64(new TextEncoder().encode(content)));
  const only = packed.dispatches.length === 1;
  const dispatches = packed.dispatches.map((d, i) => ({
    ...d,
    wgsl: text(only ? `${d.kernel}.wgsl` : `${i}_${d.kernel}.wgsl`, d.wgsl),
  }));
  const buffers = packed.buffers.map(({ name, data }, i) => ({
    name,
    data: add(`data/${i}_${fileName(name)}.bin`, data),
  }));
  const wanted = expected.map((e, i): Expectation => {
    const path = `data/expected_${i}`;
    return {
      ...e,
      positions: add(`${path}_positions.u32`, e.positions),
      values: add(`${path}_values.f64`, e.values),
      bounds: add(`${path}_bounds.f64`, e.bounds),
    };
  });
  const plan = { features: packed.features, buffers, dispatches, expected: wanted };
  text("case.json", `${JSON.stringify(plan, null, 1)}\n`);
  return files;
}

const fileName = (name: string) => name.replaceAll(/[^\w.-]+/g, "_");

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** One page with the program and all that it reads. */
function pageOf(id: string, column: Column, finding: Finding, files: Files): string {
  const rows = factsOf(id, column, finding).map(
    ([name, value]) => `<tr><td>${escaped(name)}<td>${escaped(value)}`,
  );
  const shaders = finding.packed.dispatches.map(
    ({ kernel, wgsl }) =>
      `<details><summary>${escaped(kernel)}.wgsl</summary><pre>${escaped(wgsl)}</pre></details>`,
  );
  const parts: Readonly<Record<string, string>> = {
    title: escaped(`${finding.kernel}: ${finding.summary}`),
    facts: rows.join("\n"),
    shaders: shaders.join("\n"),
    files: JSON.stringify(files),
    program: program as unknown as string,
  };
  return (page as unknown as string).replaceAll(/\{\{(\w+)\}\}/g, (_, name) => parts[name] ?? "");
}

/** What was found where, as rows of a table. */
function factsOf(id: string, { host, adapter }: Column, finding: Finding): [string, string][] {
  const versions = Object.entries(adapter.versions).map(([name, v]) => `${name} ${v}`);
  const { packed, wrongRuns, rightOn } = finding;
  const grids = packed.dispatches.map((d) => `${d.kernel}: ${d.workgroups.join(" × ")} workgroups`);
  return [
    ["seen on", `${host.name} (${versions.join(", ")})`],
    ["adapter", `${adapter.name}, ${adapter.backend}`],
    ["driver", adapter.driver || "not stated"],
    ["how often", wrongRuns ? `${wrongRuns[0]} of ${wrongRuns[1]} runs` : "not seen"],
    ["right on", rightOn ?? "no other column"],
    ["features needed", packed.features.join(", ") || "none"],
    ["dispatches", grids.join("; ")],
    ["expected output", finding.truth],
    ["found by", `voxgrad, bun run portability --case '${id}'`],
  ];
}

function readme(
  id: string,
  column: Column,
  finding: Finding,
  reports: ReturnType<typeof trackerReports>,
): string {
  const rows = factsOf(id, column, finding).map(([name, value]) => `| ${name} | ${value} |`);
  const trackers = reports.map(({ file, project, url }) => `- \`${file}\`: ${project}, ${url}`);
  return `# ${finding.kernel}: ${finding.summary}

| | |
|---|---|
${rows.join("\n")}

Run it:

- a browser: open \`reproduce.html\`. It holds everything, and needs no server and no network
- Bun or Node 20 and newer: \`npm install webgpu\` here, then \`bun reproduce.mjs\` or \`node reproduce.mjs\`;
  \`adapter=NAME\` picks an adapter by its name, and the Vulkan loader's \`VK_DRIVER_FILES\` a driver
- Deno: \`deno run --allow-read --allow-env reproduce.mjs\`

It prints which elements are wrong and ends with exit code 1, or 0 where all are right.

\`*.wgsl\` is the shader, \`case.json\` says what is bound to it, \`data/\` holds the buffers before the run (words
of \`0x7fc07ead\`, a NaN, are guards after a tensor, or what nothing was written to yet) and what should be in them
afterwards: values and how much each may be off as float64, and their positions in the buffer.

Texts of reports, for the projects that may be at fault:

${trackers.join("\n") || "- none is known for this implementation and driver"}

Before one is sent: try the newest version of the project, look for an earlier report, complete the lines that
begin with "To fill in", and send one report, to the project where the fault is. A failure that another
implementation shows on the same driver is the driver's. One that the same implementation shows on another driver
is its own.
`;
}
