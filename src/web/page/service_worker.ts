/** Keeps the site's files, so that the page opens without a network. It touches no other address. */

/** As much of a service worker's scope as is used; the page's types know only its window. */
interface Scope {
  addEventListener(name: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(name: "fetch", listener: (event: Fetched) => void): void;
}
interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetched extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

/** Replaced when the site is built: the site's files, and a hash of what is in them. */
declare const SITE_FILES: readonly string[];
declare const SITE_VERSION: string;

const PREFIX = "voxgrad-";
const NAME = `${PREFIX}${SITE_VERSION}`;
const scope = globalThis as unknown as Scope;

scope.addEventListener("install", (event) => {
  // Past the browser's own cache, which may hold files of an older version.
  const fresh = SITE_FILES.map((name) => new Request(name, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(fresh)));
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then((names) => {
      const old = names.filter((name) => name.startsWith(PREFIX) && name !== NAME);
      return Promise.all(old.map((name) => caches.delete(name)));
    }),
  );
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const isOurs = request.method === "GET" && new URL(request.url).origin === location.origin;
  if (isOurs) event.respondWith(kept(request));
});

async function kept(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  const named = request.mode === "navigate" ? "./" : request;
  return (await cache.match(named, { ignoreSearch: true })) ?? fetch(request);
}
