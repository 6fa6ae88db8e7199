/** `bun run view` and `predict --view` as a user runs them. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeResult } from "../src/result/result_folder";
import { expectRefusalOf, start } from "./cli_rig";
import { smallResult } from "./viewer_rig";

const root = mkdtempSync(join(tmpdir(), "voxgrad-view-"));
afterAll(() => rmSync(root, { recursive: true }));

test("it prints an address that answers, and Ctrl-C ends it", async () => {
  const folder = join(root, "p");
  await writeResult(folder, smallResult());
  const child = start("view", [folder, "--no-open"]);
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("Ctrl-C")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  const [, url = ""] = /viewer: (http:\/\/127\.0\.0\.1:\d+\/[\w-]+\/)\n/.exec(text) ?? [];
  expect(text).toContain("open it in a browser");
  const list = await (await fetch(`${url}results`)).json();
  expect(list).toMatchObject([{ id: "0", state: "new" }]);
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
});

test("what is no result is refused in one line", async () => {
  await expectRefusalOf(/absent: no such folder/, "view", join(root, "absent"));
  writeFileSync(join(root, "f"), "");
  mkdirSync(join(root, "empty"));
  await expectRefusalOf(/holds no result.*--out-dir/, "view", join(root, "empty"));
  await expectRefusalOf(/f: is a file/, "view", join(root, "f"));
  await expectRefusalOf(/--port.*at least 1/, "view", join(root, "p"), "--port", "0");
  await expectRefusalOf(/required option.*--out-dir/, "predict", "-t1", "a", "-t2", "b", "--view");
});
