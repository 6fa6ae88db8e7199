/** Files that are no image, or hold more than their header promises: refused, or read only so far. */
import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGzip, gzipSync } from "node:zlib";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask } from "../src/data/nifti_write";
import { expectRefusal, run } from "./cli_rig";
import { expectUserError, fixture, ramp, SFORM } from "./nifti_fixture";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-input-"));
afterAll(() => rmSync(folder, { recursive: true }));

const image = fixture({ sform: SFORM });
const mask = join(folder, "mask.nii.gz");
await writeMask(mask, {
  size: [4, 3, 2],
  affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  data: Uint8Array.from({ length: 24 }, (_, i) => +(i < 9)),
});
const posix = process.platform !== "win32";

/** A small file that inflates to half a gibibyte: an image, then zeros. */
async function bomb(path: string): Promise<void> {
  const gzip = createGzip({ level: 9 });
  const written = Bun.write(path, new Response(gzip as unknown as ReadableStream));
  gzip.write(image);
  const zeros = Buffer.alloc(2 ** 24);
  for (let i = 0; i < 32; i++) {
    if (!gzip.write(zeros)) await new Promise((resolve) => gzip.once("drain", resolve));
  }
  gzip.end();
  await written;
}

test("no more is inflated than the header promises: 512 MiB of zeros after an image", async () => {
  const path = join(folder, "bomb.nii.gz");
  await bomb(path);
  const before = process.memoryUsage().rss;
  const { data, notes } = await readVolume(path);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20);
  expect([...data]).toEqual(ramp(24));
  expect(notes.length).toBe(1);
  expect(notes[0]).toMatch(
    /bomb\.nii\.gz: more than 1048576 bytes follow its last voxel; they are/,
  );
});

test("no more is inflated than it takes to see that a file is no image", async () => {
  const path = join(folder, "zeros.nii.gz");
  writeFileSync(path, gzipSync(Buffer.alloc(2 ** 28)));
  const before = process.memoryUsage().rss;
  await expectUserError("zeros", () => readVolume(path), "zeros.nii.gz: not a NIfTI file");
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
});

test("a header that promises gigabytes which are not there takes no memory for them", async () => {
  const path = join(folder, "promise.nii.gz");
  writeFileSync(path, gzipSync(fixture({ sform: SFORM, dims: [3, 1000, 1000, 1000] })));
  const before = process.memoryUsage().rss;
  await expectUserError("promise", () => readVolume(path), "cut off", "2000000000");
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
});

test("bytes after the voxels are left aside with a note, and the checksum is still checked", async () => {
  const [plain, packed] = [join(folder, "longer.nii"), join(folder, "longer.nii.gz")];
  // With 70, the whole file is shorter than the longer of the two headers.
  for (const surplus of [70, 700]) {
    const longer = Buffer.concat([image, Buffer.alloc(surplus)]);
    writeFileSync(plain, longer);
    writeFileSync(packed, gzipSync(longer));
    for (const path of [plain, packed]) {
      const { data, notes } = await readVolume(path);
      expect([...data], path).toEqual(ramp(24));
      const note = `${path}: ${surplus} bytes follow its last voxel; they are left aside`;
      expect(notes, path).toEqual([note]);
    }
  }
  const gz = gzipSync(Buffer.concat([image, Buffer.alloc(700)]));
  gz[gz.length - 6]! ^= 1;
  writeFileSync(packed, gz);
  await expectUserError("checksum", () => readVolume(packed), "damaged or cut-off gzip");
});

test.if(posix)(
  "pipes, devices, sockets and folders are refused by name, and not opened",
  async () => {
    const fifo = join(folder, "fifo.nii.gz");
    expect(spawnSync("mkfifo", [fifo]).status).toBe(0);
    const socket = join(folder, "socket.nii");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const inside = join(folder, "folder.nii.gz");
    mkdirSync(inside);
    const cases = [
      [fifo, "is a named pipe"],
      ["/dev/zero", "is a device"],
      [socket, "is a socket"],
      [inside, "is a folder"],
    ] as const;
    for (const [path, kind] of cases) {
      const parts = [path, kind, "expected a .nii or .nii.gz file"];
      await expectUserError(path, () => readMask(path), ...parts);
      await expectRefusal(new RegExp(kind), "evaluate", "--reference", mask, "--prediction", path);
    }
    const weights = ["-t1", mask, "-t2", mask, "-o", join(folder, "out.nii"), "-w", "/dev/zero"];
    await expectRefusal(/dev\/zero: is a device; expected a \.safetensors/, "predict", ...weights);
    await expectRefusal(/fifo.*is a named pipe; expected a YAML file/, "experiment", fifo);
    server.close();
  },
);

test.if(posix)(
  "a cohort with a pipe in it is refused, not waited for",
  async () => {
    const data = join(folder, "cohort");
    for (const id of ["p01", "p02"]) {
      mkdirSync(join(data, id), { recursive: true });
      for (const name of ["flair_time01_on_middle_space", "flair_time02_on_middle_space"]) {
        expect(spawnSync("mkfifo", [join(data, id, `${name}.nii.gz`)]).status).toBe(0);
      }
      spawnSync("cp", [mask, join(data, id, "ground_truth.nii.gz")]);
    }
    const small = ["--preset", "small", "--iterations", "1", "--out", join(folder, "run")];
    await expectRefusal(/time01.*is a named pipe/, "train", "--data", data, ...small);
    await expectRefusal(/time01.*is a named pipe/, "synthesise", data, join(folder, "pairs"));
  },
  60_000,
);

test.if(posix)("/dev/stdin and <(…) are read", async () => {
  const evaluate = `"${process.execPath}" src/cli/evaluate.ts --reference "${mask}" --prediction`;
  const forms = [
    `${evaluate} /dev/stdin < "${mask}"`,
    `cat "${mask}" | ${evaluate} /dev/stdin`,
    `${evaluate} <(cat "${mask}")`,
    `${evaluate} <(gzip -dc < "${mask}")`,
  ];
  const expected = await run("evaluate", "--reference", mask, "--prediction", mask);
  for (const form of forms) {
    const child = spawnSync("bash", ["-c", form], { cwd: join(import.meta.dir, "..") });
    expect([child.stderr.toString(), child.status], form).toEqual(["", 0]);
    expect(child.stdout.toString(), form).toBe(expected.out);
  }
});
