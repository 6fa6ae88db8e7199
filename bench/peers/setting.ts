/** Finds or installs the peers' own requirements: npm packages, and a Python with PyTorch. */

/** Installs the peers' packages in bench/peers; returns why that failed, if it did. */
export async function installPackages(): Promise<string | undefined> {
  const command = [process.execPath, "install", "--frozen-lockfile"];
  const install = Bun.spawn(command, { cwd: import.meta.dir, stdout: "ignore", stderr: "pipe" });
  const [code, text] = await Promise.all([install.exited, new Response(install.stderr).text()]);
  if (code === 0) return undefined;
  return `bun install failed in bench/peers: ${text.trim().split("\n").at(-1)}`;
}

/** The interpreter that was named, else the first that has PyTorch, else python3. */
export async function pythonWithTorch(named: string | undefined): Promise<string> {
  for (const python of named ? [] : ["python3", "/usr/bin/python3"]) {
    if (!Bun.which(python)) continue;
    const probe = ["-c", "import torch, numpy"];
    const found = Bun.spawn([python, ...probe], { stdout: "ignore", stderr: "ignore" });
    if ((await found.exited) === 0) return python;
  }
  return named ?? "python3";
}
