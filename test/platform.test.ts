import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/core/errors";
import { type AdapterDescription, startLine } from "../src/gpu/adapter";
import { matches, mayMeanLavapipe } from "../src/gpu/adapter_search";
import { indexedFiles, verifiedFiles } from "../src/platform/apt_files";
import { archiveSources, parseAptSources } from "../src/platform/apt_sources";
import { cacheOnce, cacheRoot } from "../src/platform/cache";
import { DriverUnavailable } from "../src/platform/driver";
import { neededLibraries } from "../src/platform/elf";
import { nvidiaHint } from "../src/platform/vulkan";

const scratch = mkdtempSync(join(tmpdir(), "voxgrad-platform-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("cache directory", () => {
  const home = "/home/ann";
  test.each([
    ["linux", {}, "/home/ann/.cache/voxgrad"],
    ["linux", { XDG_CACHE_HOME: "/x" }, "/x/voxgrad"],
    ["linux", { XDG_CACHE_HOME: "" }, "/home/ann/.cache/voxgrad"],
    ["linux", { XDG_CACHE_HOME: "/x", VOXGRAD_CACHE: "/v" }, "/v"],
    ["darwin", {}, "/home/ann/Library/Caches/voxgrad"],
    ["win32", { LOCALAPPDATA: "/appdata" }, "/appdata/voxgrad/cache"],
    ["win32", {}, "/home/ann/AppData/Local/voxgrad/cache"],
  ])("%s %o", (platform, env, expected) => {
    expect(cacheRoot({ platform, home, env })).toBe(expected);
  });

  test.each(["linux", "darwin", "win32"])("%s without a home folder: refused", (platform) => {
    const root = (env: Record<string, string>) => cacheRoot({ platform, home: undefined, env });
    expect(root({ VOXGRAD_CACHE: "/v" })).toBe("/v");
    expect(root({ XDG_CACHE_HOME: "/x" })).toBe("/x/voxgrad");
    expect(() => root({})).toThrow(UserError);
    expect(() => root({ TMPDIR: "/tmp" })).toThrow(/HOME is not set; set VOXGRAD_CACHE/);
  });

  test("of several fillers at once one wins, and a failed one leaves nothing", async () => {
    const dir = join(scratch, "sub", "entry");
    await expect(cacheOnce(dir, () => Promise.reject(new Error("torn")))).rejects.toThrow("torn");
    const fill = (id: number) => async (temporary: string) => {
      for (const name of ["a", "b"]) await writeFile(join(temporary, name), String(id));
    };
    const won = await Promise.all([1, 2, 3, 4].map((id) => cacheOnce(dir, fill(id))));
    expect(won.filter(Boolean).length).toBe(1);
    expect(readdirSync(join(scratch, "sub"))).toEqual(["entry"]);
    expect(readFileSync(join(dir, "a"), "utf8")).toBe(readFileSync(join(dir, "b"), "utf8"));
  });
});

test.if(process.platform === "linux")("a cache that cannot be written is a UserError", async () => {
  const attempt = cacheOnce("/proc/nowhere/entry", async () => {});
  await expect(attempt).rejects.toThrow(UserError);
  await expect(attempt).rejects.toThrow(/VOXGRAD_CACHE/);
});

describe("apt sources", () => {
  const archive = (name: string, text: string) =>
    archiveSources(parseAptSources(name, text), "bookworm").split("\n").filter(Boolean);

  test("one-line format, with backports added and others' left out", () => {
    const text = `# comment
deb [arch=amd64,i386 signed-by=/k.gpg] http://mirror/debian bookworm main contrib # ours
deb-src http://mirror/debian bookworm main
deb http://mirror/debian-security bookworm-security main
deb https://packages.example.org/apt sdk main
deb https://download.example.org/debian bookworm stable`;
    expect(archive("sources.list", text)).toEqual([
      ...["types: deb", "uris: http://mirror/debian", "suites: bookworm"],
      ...["components: main contrib", "architectures: amd64 i386", "signed-by: /k.gpg"],
      "targets: Packages",
      ...["types: deb", "uris: http://mirror/debian", "suites: bookworm-backports"],
      ...["components: main contrib", "architectures: amd64 i386", "signed-by: /k.gpg"],
      "targets: Packages",
      ...["types: deb", "uris: http://mirror/debian-security", "suites: bookworm-security"],
      ...["components: main", "targets: Packages"],
    ]);
  });

  test("a source that needs no signature needs one here", () => {
    const line =
      "deb [trusted=yes allow-insecure=yes signed-by=/k.gpg] http://mirror bookworm main";
    const text = `Types: deb\nURIs: http://mirror\nSuites: bookworm\nComponents: main\nTrusted: yes\nAllow-Weak: yes\n`;
    for (const found of [archive("sources.list", line), archive("debian.sources", text)]) {
      expect(found).toContain("uris: http://mirror");
      expect(found.filter((field) => /trusted|allow/.test(field))).toEqual([]);
    }
    expect(archive("sources.list", line)).toContain("signed-by: /k.gpg");
  });

  test("deb822 format: comments, continuation lines, disabled and present backports", () => {
    const text = `Types: deb deb-src
# a comment within
URIs: http://mirror/debian
Suites: bookworm bookworm-updates
 bookworm-backports
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Enabled: no
Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
`;
    expect(archive("debian.sources", text)).toEqual([
      ...["types: deb", "uris: http://mirror/debian"],
      ...["suites: bookworm bookworm-updates bookworm-backports", "components: main"],
      ...["signed-by: -----BEGIN PGP PUBLIC KEY BLOCK-----", " .", " abc", "targets: Packages"],
    ]);
  });
});

describe("package files against the archive's signed index", () => {
  const folder = join(scratch, "debs");
  const name = "libx_1%3a2.0-1~bpo12+1_amd64.deb";
  const sha256 = createHash("sha256").update("package").digest("hex");
  const line = (hash: string, file = name) => `'http://m/pool/x.deb' ${file} 7 ${hash}\n`;
  const put = (text: string) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), text);
  };

  test("the lines of apt-get --print-uris", () => {
    const files = indexedFiles(`Reading package lists...\n${line(`SHA256:${sha256}`)}`);
    expect(files).toEqual([{ name, bytes: 7, sha256 }]);
    for (const hash of ["", `MD5Sum:${sha256.slice(32)}`, `SHA256:${sha256.slice(1)}`]) {
      expect(() => indexedFiles(line(hash)), hash).toThrow(/index has no SHA-256 of libx/);
    }
    expect(() => indexedFiles(line(`SHA256:${sha256}`, "../x.deb"))).toThrow(/no SHA-256/);
  });

  test("the right file passes; a changed, a cut-off and a missing one are refused", async () => {
    const files = indexedFiles(line(`SHA256:${sha256}`));
    put("package");
    expect(await verifiedFiles(folder, files)).toEqual([join(folder, name)]);
    for (const text of ["packagE", "packag", ""]) {
      put(text);
      const verify = verifiedFiles(folder, files);
      await expect(verify, text).rejects.toThrow(DriverUnavailable);
      await expect(verify, text).rejects.toThrow(/is not the file of the archive's signed index/);
    }
    rmSync(join(folder, name));
    await expect(verifiedFiles(folder, files)).rejects.toThrow(/apt did not bring libx/);
  });

  test("other files in the folder are left alone", async () => {
    put("package");
    writeFileSync(join(folder, "planted_1_amd64.deb"), "package");
    const files = indexedFiles(line(`SHA256:${sha256}`));
    expect(await verifiedFiles(folder, files)).toEqual([join(folder, name)]);
  });
});

test.if(process.platform === "linux")("the needed libraries of an ELF file", () => {
  expect(neededLibraries(readFileSync(process.execPath))).toContain("libc.so.6");
  expect(() => neededLibraries(Buffer.alloc(64))).toThrow(RangeError);
});

test.if(process.platform === "linux")("an NVIDIA GPU without its Vulkan driver is told of", () => {
  expect(nvidiaHint("/dev/no-such-device")).toBeUndefined();
  expect(nvidiaHint("/dev/null")).toContain("install libegl1");
  const software = { name: "llvmpipe", kind: "lavapipe", type: "software", source: "system" };
  const info = { ...software, driver: "", backend: "vulkan" } as unknown as AdapterDescription;
  expect(startLine(info, "float32", { gpuHint: "a hint" })).toEndWith("any GPU; a hint");
  expect(startLine(info, "float32", {})).toEndWith("any GPU");
});

test("a wanted adapter is a kind or part of a name, and another kind downloads nothing", () => {
  const llvmpipe = { name: "llvmpipe (LLVM 15)", kind: "lavapipe" } as const;
  const card = { name: "NVIDIA H200", kind: "hardware" } as const;
  const meant = (wanted: string) => [llvmpipe, card].map((each) => matches(wanted, each));
  expect(meant("")).toEqual([true, true]);
  expect(meant("LavaPipe")).toEqual([true, false]);
  expect(meant("LLVM")).toEqual([true, false]);
  expect(meant("gpu")).toEqual([false, true]);
  expect(meant("h200")).toEqual([false, true]);
  const words = ["", "LavaPipe", "llvm", "llvmpipe (LLVM 15)", "SwiftShader", "gpu", "h200"];
  expect(words.filter(mayMeanLavapipe)).toEqual(words.slice(0, 4));
});
