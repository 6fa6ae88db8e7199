/** Opens an address in the user's browser, where there is one. */

/** @returns whether a browser was asked to; not whether it shows anything */
export function openInBrowser(url: string): boolean {
  const command = commandOf(url);
  if (!command) return false;
  try {
    Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).unref();
    return true;
  } catch {
    return false;
  }
}

function commandOf(url: string): string[] | undefined {
  const { platform, env } = process;
  if (platform === "darwin") return ["open", url];
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler", url];
  const hasScreen = Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
  return hasScreen && Bun.which("xdg-open") ? ["xdg-open", url] : undefined;
}
