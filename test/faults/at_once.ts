/** Several processes that do the same thing in the same moment. */
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** What one of them did: the value that its code gave, or the message of what it threw. */
export interface Outcome {
  readonly value?: unknown;
  readonly error?: string;
}

/**
 * Runs `code` in `count` processes, when all of them have loaded what it imports.
 * @param imports by name, from a path under the root of the project
 * @param code the body of an async function of `k`, the number of the process from 0
 */
export async function atOnce(
  count: number,
  cwd: string,
  imports: Readonly<Record<string, string>>,
  code: string,
): Promise<Outcome[]> {
  const lines = Object.entries(imports).map(
    ([name, path]) => `import { ${name} } from ${JSON.stringify(join(ROOT, path))};`,
  );
  const script = `${lines.join("\n")}
    const work = async (k) => { ${code} };
    console.log("ready");
    for await (const line of console) {
      const [k, start] = JSON.parse(line);
      while (Date.now() < start) {}
      try { console.log(JSON.stringify({ value: await work(k) })); }
      catch (error) { console.log(JSON.stringify({ error: error.message })); }
      process.exit();
    }`;
  const children = Array.from({ length: count }, () =>
    Bun.spawn([process.execPath, "-e", script], { cwd, stdin: "pipe", stdout: "pipe" }),
  );
  const readers = children.map(({ stdout }) => linesOf(stdout));
  for (const reader of readers) await reader.next();
  const start = Date.now() + 300;
  for (const [k, child] of children.entries()) {
    child.stdin.write(`${JSON.stringify([k, start])}\n`);
    child.stdin.flush();
  }
  const ended = await Promise.all(readers.map((reader) => reader.next()));
  return ended.map(({ value }) => JSON.parse(value ?? "{}") as Outcome);
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of stream) {
    text += decoder.decode(part, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
  return undefined;
}
