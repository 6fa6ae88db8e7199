/**
 * Requests that may be answered. The page lies on 127.0.0.1 behind a random token; a foreign `Host` would be
 * a name that somebody has pointed here (DNS rebinding), a foreign `Origin` another site's script.
 */
import { timingSafeEqual } from "node:crypto";

/** Nothing from elsewhere, no frames around it, and no script but the page's own file. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  // NiiVue keeps the picture of its font in its script.
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join("; ");

export const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": CSP,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cache-Control": "no-store",
};

/** @returns why a request is refused; undefined where it may be answered */
export function refusal(request: Request, port: number): string | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const host = request.headers.get("host") ?? "";
  if (!hosts.includes(host)) return "foreign Host";
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}`) return "foreign Origin";
  return undefined;
}

export function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
