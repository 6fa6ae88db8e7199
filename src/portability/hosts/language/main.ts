/**
 * `bun src/portability/hosts/language/main.ts` prints the WGSL that each implementation accepts, as a
 * table: for writing kernels that run everywhere. The suite tests the kernels of voxgrad themselves.
 */
import { join } from "node:path";
import type { Host, HostAdapter } from "../../host";
import { hosts } from "../index";
import { SNIPPETS } from "./snippets";

const WORKER = join(import.meta.dir, "worker.ts");

/** The implementation's verdict on each snippet; a crash ends one worker. */
async function answers(host: Host, adapter: HostAdapter): Promise<Map<string, string>> {
  const said = new Map<string, string>();
  let worker = await host.start(adapter, WORKER);
  for (const name of Object.keys(SNIPPETS)) {
    worker.send(name);
    const { value, done } = await worker.messages[Symbol.asyncIterator]().next();
    if (!done) {
      said.set(name, value ? `refused: ${onOneLine(String(value))}` : "accepted");
      continue;
    }
    said.set(name, `crashed: ${onOneLine((await worker.ended).detail)}`);
    worker = await host.start(adapter, WORKER);
  }
  await worker.stop();
  return said;
}

/** The sentence of a message, without the pointers into the source. */
function onOneLine(text: string): string {
  const sentence = text
    .split(/\s[┌│├]/)[0]!
    .replace(/\s+/g, " ")
    .trim();
  return sentence.replace(/^Shader ('[^']*' )?(parsing|validation) error: /, "");
}

const columns: [string, Map<string, string>][] = [];
for (const host of hosts) {
  const { adapters, reason } = await host.adapters();
  if (reason) console.error(`${host.name}: ${reason}`);
  for (const adapter of adapters) {
    columns.push([`${host.name} × ${adapter.kind}`, await answers(host, adapter)]);
  }
}
for (const name of Object.keys(SNIPPETS)) {
  const byAnswer = Map.groupBy(columns, ([, said]) => said.get(name) ?? "");
  console.log(name);
  for (const [answer, group] of byAnswer) {
    const where = byAnswer.size === 1 ? "everywhere" : group.map(([column]) => column).join(", ");
    console.log(`    ${answer}  [${where}]`);
  }
}
process.exit(0);
