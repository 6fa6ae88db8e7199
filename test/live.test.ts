/** The live page's server: it follows a run's files, tells runs apart, and answers nobody else. */
import { afterAll, expect, test } from "bun:test";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCohort } from "../src/data/cohort";
import { readMask } from "../src/data/nifti_read";
import { namedRuns, runsAt } from "../src/live/find_runs";
import { FollowedFile } from "../src/live/followed_file";
import type { Message } from "../src/live/message";
import { RunFollower } from "../src/live/run_follower";
import { infoOf } from "../src/live/run_settings";
import { serveRuns } from "../src/live/server";
import { settingTable } from "../src/live/setting_table";
import type { ResultRecord } from "../src/result/record";
import {
  appendMetrics,
  checkpointPaths,
  createRunFolder,
  type RunFolder,
  truncateMetrics,
} from "../src/run/run_folder";
import { RunLog } from "../src/run/run_log";
import { patientPicture } from "../src/run/run_pictures";
import type { ValidationPatient } from "../src/run/validate";
import { recordPatient, writeValidation } from "../src/run/validation_record";
import { makeTrainConfig } from "../src/settings/presets";
import { expectRefusalOf, start } from "./cli_rig";
import { writeCohort } from "./faults/cohort";

const root = mkdtempSync(join(tmpdir(), "voxgrad-live-"));
afterAll(() => rmSync(root, { recursive: true }));

function makeRun(name: string, changes: Parameters<typeof makeTrainConfig>[1] = {}): RunFolder {
  const config = makeTrainConfig("small", { iterations: 100, ...changes });
  return createRunFolder(join(root, name), config, { data: null, train: ["a", "b"], val: ["p/1"] });
}

test("a followed file: whole lines only, and again from its start where it was cut or replaced", () => {
  const path = join(root, "lines");
  const file = new FollowedFile(path);
  const none = { reset: false, lines: [] };
  expect(file.poll()).toEqual(none);
  writeFileSync(path, "one\ntw");
  expect(file.poll()).toEqual({ reset: false, lines: ["one"] });
  expect(file.poll()).toEqual(none);
  const bytes = Buffer.from("o w̄\n");
  appendFileSync(path, bytes.subarray(0, 4)); // In the middle of a character.
  expect(file.poll()).toEqual(none);
  appendFileSync(path, bytes.subarray(4));
  expect(file.poll()).toEqual({ reset: false, lines: ["two w̄"] });
  truncateSync(path, 4);
  expect(file.poll()).toEqual({ reset: true, lines: ["one"] });
  // In place, to another beginning, and longer than it was.
  writeFileSync(path, "eins\nzwei\ndrei\n");
  expect(file.poll()).toEqual({ reset: true, lines: ["eins", "zwei", "drei"] });
  // Another file under its name, with the same bytes and more.
  writeFileSync(`${path}2`, "eins\nzwei\ndrei\nvier\n");
  renameSync(`${path}2`, path);
  expect(file.poll()).toEqual({ reset: true, lines: ["eins", "zwei", "drei", "vier"] });
  rmSync(path);
  expect(file.poll()).toEqual({ reset: true, lines: [] });
  expect(file.poll()).toEqual(none);
});

const iterationsOf = (messages: readonly Message[]) =>
  messages.flatMap((message) =>
    message.kind === "lines" ? [[message.reset, ...message.lines.map((l) => l.iteration)]] : [],
  );

test("a run is followed through reports, a resumption, damage and its log", () => {
  const run = makeRun("followed");
  const follower = new RunFollower({ path: run.path, name: "followed" }, 0);
  const kinds = (messages: readonly Message[]) => messages.map(({ kind }) => kind);
  expect(kinds(follower.poll())).toEqual(["info", "state", "pictures"]);
  expect(follower.poll()).toEqual([]);
  for (const iteration of [5, 10, 15]) appendMetrics(run, { iteration, seconds: 1, loss: 0.5 });
  expect(iterationsOf(follower.poll())).toEqual([[false, 5, 10, 15]]);
  truncateMetrics(run, 10);
  appendMetrics(run, { iteration: 14, seconds: 2 });
  expect(iterationsOf(follower.poll())).toEqual([[true, 5, 10, 14]]);
  appendFileSync(join(run.path, "metrics.jsonl"), "{broken}\n");
  const [problem] = follower.poll();
  expect(problem).toMatchObject({ kind: "problem" });
  expect(JSON.stringify(problem)).toContain("metrics.jsonl: line 4");
  const log = new RunLog();
  log.note("before there was a folder");
  log.into(run);
  log.note("after\nthat");
  const [news] = follower.poll();
  expect(news).toMatchObject({ kind: "log", reset: false });
  const lines = news?.kind === "log" ? news.lines : [];
  expect(lines.map((line) => line.replace(/^\d{4}-\S+Z /, ""))).toEqual([
    "before there was a folder",
    "after that",
  ]);
});

test("settings: as options, and those that differ first", () => {
  const [a, b] = [makeRun("a"), makeRun("b", { learningRate: 0.5, alignCorners: false })];
  const infos = [a, b].map((run) => infoOf(run, run.path));
  const rows = settingTable(infos);
  expect(rows.filter(({ differs }) => differs)).toEqual([
    { option: "--align-corners", values: ["on", "off"], differs: true },
    { option: "--learning-rate", values: ["0.003", "0.5"], differs: true },
  ]);
  expect(rows[0]!.differs).toBe(true);
  expect(rows.find(({ option }) => option === "--preset")?.values).toEqual(["small", "small"]);
  expect(settingTable([{ settings: [["--x", "1"]] }, { settings: [] }])).toEqual([
    { option: "--x", values: ["1", "–"], differs: true },
  ]);
});

test("runs in a folder, and names that tell them apart", () => {
  for (const name of ["cv1/fold0", "cv1/fold1", "cv2/fold0"]) makeRun(name);
  const paths = ["cv1", "cv2"].flatMap((name) => runsAt(join(root, name)));
  expect(namedRuns(paths).map(({ name }) => name)).toEqual(["cv1/fold0", "fold1", "cv2/fold0"]);
  expect(runsAt(join(root, "absent"))).toEqual([]);
});

test("a validation patient of a finished run opens in the viewer, with its mask; decisions stay", async () => {
  const data = join(root, "cohort");
  await writeCohort(data, 2);
  const config = makeTrainConfig("small", { iterations: 100 });
  const split = { data, train: ["p02"], val: ["p01"] };
  const run = createRunFolder(join(root, "finished"), config, split);
  writeFileSync(patientPicture(run, "p01"), "");
  writeFileSync(checkpointPaths(run, "last").weights, "weights");
  const server = await serveRuns([{ path: run.path, name: "run" }], { port: 0, orNext: false });
  const page = `${server.url}runs/0/viewer/0`;
  const refused = await fetch(page);
  expect([refused.status, await refused.text()]).toEqual([
    422,
    expect.stringContaining("p01 has no mask yet"),
  ]);
  const patient = (await openCohort(data)).patients[0]!;
  const truth = await readMask(patient.truth);
  const prepared = {} as ValidationPatient["prepared"]; // Not asked for by the record.
  const validated = await recordPatient(run, { patient, prepared, truth }, truth);
  writeValidation(run, { iteration: 100, seconds: 1, patients: [validated] });
  const messages = await messagesUntil(server.url, ({ kind }) => kind === "pictures");
  expect(messages.at(-1)).toMatchObject({ pictures: [{ viewer: "runs/0/viewer/0" }] });
  expect(messages.find(({ kind }) => kind === "state")).toMatchObject({ state: "finished" });
  const opened = await fetch(page);
  expect(await opened.text()).toContain("<title>voxgrad</title>");
  const viewer = opened.url;
  expect((await fetch(page)).url).toBe(viewer);
  const list = await (await fetch(`${viewer}results`)).json();
  expect(list).toMatchObject([{ patient: "p01, iteration 100", state: "new" }]);
  const folder = join(run.path, "viewer", "p01, iteration 100");
  const mask = await readMask(join(folder, "mask.nii.gz"));
  expect(Buffer.compare(mask.data, truth.data)).toBe(0);
  const { record } = (await (await fetch(`${viewer}results/0`)).json()) as { record: ResultRecord };
  expect(record.lesions.map(({ voxels }) => voxels)).toEqual([
    truth.data.filter((v) => v === 1).length,
  ]);
  expect(record.quality.fit).toBe(false);
  await server.stop();
  expect(await isServed(viewer)).toBe(false);
});

/** The messages of the stream until one is as asked. */
async function messagesUntil(
  url: string,
  isLast: (message: Message) => boolean,
  meanwhile: (count: number) => void = () => {},
): Promise<Message[]> {
  const response = await fetch(`${url}events`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const found: Message[] = [];
  let text = "";
  for await (const bytes of response.body!) {
    text += new TextDecoder().decode(bytes);
    const parts = text.split("\n\n");
    text = parts.pop()!;
    for (const part of parts.filter((each) => each.startsWith("data: "))) {
      found.push(JSON.parse(part.slice(6)) as Message);
      if (isLast(found.at(-1)!)) return found;
      meanwhile(found.length);
    }
  }
  throw new Error("the stream has ended");
}

test("events go on while the run does; foreign names, origins and tokens are refused", async () => {
  const run = makeRun("served");
  appendMetrics(run, { iteration: 1, seconds: 1 });
  writeFileSync(join(root, "secret.png"), "");
  const server = await serveRuns([{ path: run.path, name: "served" }], { port: 0, orNext: false });
  const hasLine = (n: number) => (m: Message) =>
    m.kind === "lines" && m.lines.some(({ iteration }) => iteration === n);
  let isAppended = false;
  const messages = await messagesUntil(server.url, hasLine(2), () => {
    if (!isAppended) setTimeout(() => appendMetrics(run, { iteration: 2, seconds: 2 }), 700);
    isAppended = true;
  });
  expect(messages[0]).toEqual({ kind: "hello", runs: ["served"] });
  expect(iterationsOf(messages)).toEqual([
    [false, 1],
    [false, 2],
  ]);
  const port = new URL(server.url).port;
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(path, { headers })).status;
  expect(await status(server.url)).toBe(200);
  expect(await status(`${server.url}uplot.css`)).toBe(200);
  expect(await status(`${server.url}events`, { Host: `evil.example:${port}` })).toBe(403);
  expect(await status(`${server.url}events`, { Origin: "http://evil.example" })).toBe(403);
  expect(await status(`http://127.0.0.1:${port}/${"x".repeat(32)}/events`)).toBe(403);
  for (const path of [
    "runs/0/pictures/0",
    "runs/0/pictures/..%2F..%2Fsecret",
    "runs/9/pictures/0",
  ]) {
    expect(await status(`${server.url}${path}`), path).toBe(404);
  }
  const { headers } = await fetch(server.url);
  expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  const again = await serveRuns([], { port: Number(port), orNext: true });
  expect(new URL(again.url).port).not.toBe(port);
  await expect(serveRuns([], { port: Number(port), orNext: false })).rejects.toThrow("is taken");
  await Promise.all([server.stop(), again.stop()]);
});

test("bun run view RUN prints an address that answers; Ctrl-C ends it; runs and results do not mix", async () => {
  const run = makeRun("viewed");
  const child = start("view", [run.path, "--no-open"]);
  const url = await addressIn(child.stdout);
  expect(await (await fetch(url)).text()).toContain("voxgrad: training");
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  mkdirSync(join(root, "empty"));
  await expectRefusalOf(/empty: holds no run.*alone/, "view", run.path, join(root, "empty"));
  await expectRefusalOf(/at most 65535/, "view", run.path, "--port", "70000");
});

test("train --live: a page beside the training, on the next port where one is taken, and gone with it", async () => {
  const data = join(root, "data");
  await writeCohort(data, 3);
  const taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
  const small = [
    "--filters",
    "4,8,8",
    "--groups",
    "4",
    "--patch",
    "16",
    "--pool",
    "4",
    "--batch",
    "2",
  ];
  const train = (out: string) =>
    start("train", [
      ...["--data", data, "--val", "p01", "--out", join(root, out), "--iterations", "100000"],
      ...[...small, "--report-every", "5", "--tune", "off", "--live", String(taken.port)],
    ]);
  for (const [signal, out] of [
    ["SIGINT", "live1"],
    ["SIGKILL", "live2"],
  ] as const) {
    const child = train(out);
    const url = await addressIn(child.stderr);
    expect(new URL(url).port).not.toBe(String(taken.port));
    // Lines and log are files of their own, and are followed in any order.
    const seen = { lines: false, adapter: false };
    const messages = await messagesUntil(url, (m) => {
      if (m.kind === "lines") seen.lines = true;
      if (m.kind === "log" && JSON.stringify(m).includes("adapter: ")) seen.adapter = true;
      return seen.lines && seen.adapter;
    });
    expect(messages.find(({ kind }) => kind === "state")).toMatchObject({ state: "training" });
    expect(readFileSync(join(root, out, "log.txt"), "utf8")).not.toContain(new URL(url).pathname);
    child.kill(signal);
    expect(await child.exited).toBe(signal === "SIGINT" ? 130 : 137);
    for (let tries = 0; (await isServed(url)) && tries < 100; tries++) await Bun.sleep(100);
    expect(await isServed(url)).toBe(false);
  }
  await taken.stop(true);
}, 300_000);

const isServed = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  );

async function addressIn(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
    const [url] = /http:\/\/127\.0\.0\.1:\d+\/[\w-]+\//.exec(text) ?? [];
    if (url) return url;
  }
  throw new Error(`no address in: ${text}`);
}
