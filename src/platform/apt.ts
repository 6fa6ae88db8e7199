import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { indexedFiles, verifiedFiles } from "./apt_files";
import { archiveSources, parseAptSources } from "./apt_sources";
import { DriverUnavailable } from "./driver";

/** A package as the archive offers it. */
export interface AptVersion {
  readonly version: string;
  readonly suite: string;
}

const DPKG_STATUS = "/var/lib/dpkg/status";
const UPDATE_TIMEOUT_MS = 30_000; // takes 1 to 3 s where the network lets it through
const DOWNLOAD_TIMEOUT_MS = 600_000;

/**
 * apt with a state of its own: it reads the machine's sources, keys, proxy settings and list of
 * installed packages, writes nothing outside of `dir`, and needs no rights.
 */
export class PrivateApt {
  readonly #dir: string;
  readonly #options: readonly string[];

  private constructor(dir: string, architecture: string) {
    this.#dir = dir;
    const settings = {
      "Dir::State": join(dir, "state"),
      "Dir::State::Lists": join(dir, "lists"),
      "Dir::State::status": join(dir, "status"), // apt locks the directory of this file
      "Dir::Cache": join(dir, "cache"),
      "Dir::Etc::SourceList": "/dev/null",
      "Dir::Etc::SourceParts": join(dir, "sources.d"),
      "Dir::Etc::Preferences": "/dev/null",
      "Dir::Etc::PreferencesParts": "/dev/null",
      "APT::Architecture": architecture,
      "APT::Sandbox::User": "root", // as root, apt would hand over to a user who may not write here
      "APT::Install-Recommends": "false",
      "APT::Get::Assume-Yes": "true",
      "APT::Get::allow-change-held-packages": "true",
      // The archive's signature counts, whatever the machine allows elsewhere.
      "APT::Get::AllowUnauthenticated": "false",
      "Acquire::AllowInsecureRepositories": "false",
      "Acquire::AllowWeakRepositories": "false",
      "Acquire::AllowDowngradeToInsecureRepositories": "false",
      "Acquire::Languages": "none",
      "Acquire::Retries": "1",
      "Acquire::http::Timeout": "10",
      "Acquire::https::Timeout": "10",
    };
    this.#options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  }

  /**
   * Prepares a state in `dir` (an empty directory) and fetches the package lists.
   * @throws DriverUnavailable without apt, without a source of the distribution or without network
   */
  static async open(dir: string, codename: string): Promise<PrivateApt> {
    if (!Bun.which("apt-get") || !Bun.which("dpkg-deb") || !existsSync(DPKG_STATUS)) {
      throw new DriverUnavailable("this system has no apt to bring it with");
    }
    const sources = archiveSources(machineSources(), codename);
    if (!sources) {
      throw new DriverUnavailable(`no apt source for ${codename} with component main`);
    }
    for (const sub of ["state", "lists/partial", "cache/archives/partial", "sources.d"]) {
      await mkdir(join(dir, sub), { recursive: true });
    }
    await writeFile(join(dir, "sources.d", "archive.sources"), sources);
    await copyFile(DPKG_STATUS, join(dir, "status"));
    const architecture = await run(["dpkg", "--print-architecture"]);
    const apt = new PrivateApt(dir, architecture.output.trim());
    const update = await run(["apt-get", ...apt.#options, "update"], UPDATE_TIMEOUT_MS);
    const hasLists = readdirSync(join(dir, "lists")).some((name) => /_Packages/.test(name));
    if (!hasLists) throw new DriverUnavailable(`apt-get update: ${firstError(update)}`);
    return apt;
  }

  /** The versions of a package, as `apt-cache madison` lists them. */
  async versions(name: string): Promise<AptVersion[]> {
    const { output } = await run(["apt-cache", ...this.#options, "madison", name]);
    return [...output.matchAll(/^ *\S+ \| +(\S+) \| \S+ (\S+?)\/\S+ \S+ Packages/gm)].map(
      ([, version = "", suite = ""]) => ({ version, suite }),
    );
  }

  /**
   * Fetches packages with everything they depend on that this machine lacks: paths of .deb files, each
   * with the SHA-256 of the archive's index, whose signature apt has checked.
   * @throws DriverUnavailable where apt cannot, or a file is another
   */
  async download(names: readonly string[], suite: string): Promise<string[]> {
    const what = ["--reinstall", "--target-release", suite, ...names];
    const install = ["apt-get", ...this.#options, "install", "--download-only", ...what];
    const planned = await run([...install, "--print-uris", "-o", "Acquire::ForceHash=SHA256"]);
    if (planned.code !== 0) throw new DriverUnavailable(`apt-get install: ${firstError(planned)}`);
    const files = indexedFiles(planned.output);
    const answer = await run(install, DOWNLOAD_TIMEOUT_MS);
    if (answer.code !== 0) throw new DriverUnavailable(`apt-get install: ${firstError(answer)}`);
    return verifiedFiles(join(this.#dir, "cache", "archives"), files);
  }
}

/** Unpacks a .deb file below `dir`; runs none of its scripts. */
export async function unpackDeb(deb: string, dir: string): Promise<void> {
  const answer = await run(["dpkg-deb", "--extract", deb, dir]);
  if (answer.code !== 0) throw new DriverUnavailable(`dpkg-deb: ${firstError(answer)}`);
}

/** Name and codename of the distribution, e.g. `debian`, `bookworm`; "" where unstated. */
export async function distribution(): Promise<{ id: string; codename: string }> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)`, "m").exec(text)?.[1] ?? "";
  return { id: field("ID"), codename: field("VERSION_CODENAME") };
}

function machineSources() {
  const parts = "/etc/apt/sources.list.d";
  const names = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  return ["/etc/apt/sources.list", ...names]
    .filter((path) => /\.(list|sources)$/.test(path) && existsSync(path))
    .flatMap((path) => parseAptSources(path, readFileSync(path, "utf8")));
}

interface Answer {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
  /** Whether it was stopped at its time limit. */
  readonly isLate: boolean;
}

async function run(command: readonly string[], timeout = 60_000): Promise<Answer> {
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const child = Bun.spawn([...command], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout,
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, output, errors, isLate: child.signalCode === "SIGTERM" };
}

function firstError({ code, errors, isLate }: Answer): string {
  const lines = errors.split("\n").filter((line) => /^(E|W|dpkg-deb):/.test(line));
  const line = lines.find((each) => each.startsWith("E:")) ?? lines[0];
  return line?.replace(/^\w: */, "") ?? (isLate ? "no answer in time" : `status ${code}`);
}
