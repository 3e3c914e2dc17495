// Serves what a reader keeps (offline.js): the course, or the pages of one edition, as they were when they were kept; and
// Python alone after a run.
// What is kept lies in caches that the page makes and deletes. Without any, every request goes to the network.
"use strict";
const root = registration.scope;
const [SITE, PYTHON] = [`npo-site ${root} `, `npo-python ${root}`];
const LISTING = `${root}python/offline.json`;
const NOWHERE = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>npo-tutorial</title><style>body { max-width: 36em; margin: 2em auto; padding: 0 1em; font: 1em/1.6 sans-serif; }</style>
<p>This page is not kept on this device, and there is no network. Once you are online again, you can keep the whole course: the button is at the foot of every page.</p>
<p lang="zh-Hans">本机没有保存这个网页，现在又连不上网络。联网之后，可以把整本书保存下来：按钮在每一页的末尾。</p>`;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { url, method } = event.request;
  // what a page asks for to keep it, or to learn whether there is something newer
  const isForPage = url.startsWith(LISTING) || new URL(url).searchParams.has("kept");
  if (method === "GET" && url.startsWith(root) && !isForPage) event.respondWith(answer(event));
});

// only once it is whole does a copy have its listing
async function course() {
  for (const name of await caches.keys()) {
    if (!name.startsWith(SITE)) continue;
    const copy = await caches.open(name);
    if (await copy.match(LISTING)) return copy;
  }
}

async function answer(event) {
  const { request } = event;
  const place = new URL(request.url);
  place.search = place.hash = "";
  if (place.pathname.endsWith("/")) place.pathname += "index.html";
  const found = await (await course())?.match(place.href);
  if (found) return found;
  if (place.href.startsWith(`${root}python/`) && (await caches.has(PYTHON))) return python(event, place.pathname);
  try {
    return await fetch(request);
  } catch (error) {
    if (request.mode !== "navigate") throw error;
    return new Response(NOWHERE, { status: 503, headers: { "content-type": "text/html" } });
  }
}

// the address of a file of Python has its hash, so the file never changes
async function python(event, pathname) {
  const kept = await caches.open(PYTHON);
  const copy = await kept.match(event.request);
  if (copy) return copy;
  const fresh = await fetch(event.request);
  const keep = async (response) => {
    for (const old of await kept.keys()) if (new URL(old.url).pathname === pathname) await kept.delete(old);
    await kept.put(event.request, response);
  };
  // a full disk must not keep the answer back
  if (fresh.ok) event.waitUntil(keep(fresh.clone()).catch(console.warn));
  return fresh;
}
