/** Writes the folder of a stand-alone reproduction. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Expectation, fromBase64 } from "./packed";
import type { Finding } from "./reduce";
import type { Column } from "./runner";
import program from "./standalone/reproduce.mjs" with { type: "text" };

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>reproduction</title>
<pre></pre>
<script type="module" src="reproduce.mjs"></script>
`;

export function writeFolder(folder: string, id: string, column: Column, finding: Finding): void {
  const write = (name: string, content: string | Uint8Array) =>
    writeFileSync(join(folder, name), content);
  const bytes = (name: string, base64: string) => {
    write(name, fromBase64(base64));
    return name;
  };
  mkdirSync(join(folder, "data"), { recursive: true });
  const { packed, expected } = finding;
  const only = packed.dispatches.length === 1;
  const dispatches = packed.dispatches.map((d, i) => {
    const name = only ? `${d.kernel}.wgsl` : `${i}_${d.kernel}.wgsl`;
    write(name, d.wgsl);
    return { ...d, wgsl: name };
  });
  const buffers = packed.buffers.map(({ name, data }, i) => ({
    name,
    data: bytes(`data/${i}_${fileName(name)}.bin`, data),
  }));
  const wanted = expected.map((e, i) => expectation(e, `data/expected_${i}`, bytes));
  const plan = { features: packed.features, buffers, dispatches, expected: wanted };
  write("case.json", `${JSON.stringify(plan, null, 1)}\n`);
  write("reproduce.mjs", program as unknown as string);
  write("index.html", PAGE);
  write("README.md", readme(id, column, finding));
}

const fileName = (name: string) => name.replaceAll(/[^\w.-]+/g, "_");

function expectation(
  e: Expectation,
  path: string,
  bytes: (name: string, base64: string) => string,
): Expectation {
  return {
    ...e,
    positions: bytes(`${path}_positions.u32`, e.positions),
    values: bytes(`${path}_values.f64`, e.values),
    bounds: bytes(`${path}_bounds.f64`, e.bounds),
  };
}

function readme(id: string, { host, adapter }: Column, finding: Finding): string {
  const versions = Object.entries(adapter.versions).map(([name, v]) => `${name} ${v}`);
  const { packed } = finding;
  const grids = packed.dispatches.map((d) => `${d.kernel}: ${d.workgroups.join(" × ")} workgroups`);
  return `# ${finding.kernel}: ${finding.summary}

| | |
|---|---|
| seen on | ${host.name} (${versions.join(", ")}) |
| adapter | ${adapter.name}, ${adapter.backend} |
| driver | ${adapter.driver || "not stated"} |
| features needed | ${packed.features.join(", ") || "none"} |
| dispatches | ${grids.join("; ")} |
| expected output | ${finding.truth} |
| found by | voxgrad, \`bun run portability --case '${id}'\` |

Run it:

- Bun or Node 20 and newer: \`npm install webgpu\` here, then \`bun reproduce.mjs\` or \`node reproduce.mjs\`;
  \`adapter=NAME\` picks an adapter by its name, and the Vulkan loader's \`VK_DRIVER_FILES\` a driver
- Deno: \`deno run --allow-read --allow-env reproduce.mjs\`
- a browser: serve this folder (\`python3 -m http.server\`) and open \`http://localhost:8000\`

It prints which elements are wrong and ends with exit code 1, or 0 where all are right.

\`*.wgsl\` is the shader, \`case.json\` says what is bound to it, \`data/\` holds the buffers before the run (words
of \`0x7fc07ead\`, a NaN, are guards after a tensor, or what nothing was written to yet) and what should be in them
afterwards: values and how much each may be off as float64, and their positions in the buffer.
`;
}
