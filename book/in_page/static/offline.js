// "Keep this course offline", at the foot of every page: all of it, or the pages of this edition. What is kept lies in
// caches, from which sw.js serves it.
(() => {
  "use strict";
  const me = document.currentScript;
  const root = new URL("..", me.src).href;
  // the space ends the address: a copy of the site in a folder below has a longer one
  const [SITE, PYTHON] = [`npo-site ${root} `, `npo-python ${root}`];
  const LISTING = `${root}python/offline.json`;
  // files at a time
  const SIDE_BY_SIDE = 6;
  const words = JSON.parse(me.dataset.words);
  const say = (name, facts = {}) => words[name].replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
  const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  // the whole course; the key of an edition is its pages without Python
  const ALL = "all";
  const total = (listing) => listing.files.reduce((sum, [, bytes]) => sum + bytes, 0);
  const own = async () => (await caches.keys()).filter((name) => name.startsWith(SITE));

  // the listing of a copy that is whole, if there is one
  async function kept() {
    for (const name of await own()) {
      const listing = await (await caches.open(name)).match(LISTING);
      if (listing) return { scope: ALL, ...(await listing.json()) };
    }
  }

  async function newest(scope) {
    const { version, files } = await (await fetch(LISTING, { cache: "no-cache" })).json();
    return { scope, version, files: files.filter(([, , , part]) => scope === ALL || part === "" || part === scope) };
  }

  // one tab at a time keeps or removes the course; the others say so, and go on when it has finished
  async function inTurn(task) {
    const { held } = await navigator.locks.query();
    if (held.some(({ name }) => name === SITE)) show(words.elsewhere);
    return navigator.locks.request(SITE, task);
  }

  async function serve() {
    const { serviceWorker } = navigator;
    await serviceWorker.register(`${root}sw.js`, { scope: root });
    if (serviceWorker.controller) return;
    // it takes this page over as soon as it runs; without it the page goes on as before
    await new Promise((done) => {
      serviceWorker.addEventListener("controllerchange", done, { once: true });
      setTimeout(done, 3000);
    });
  }

  async function keep(scope, report) {
    const listing = await newest(scope);
    const bytes = total(listing);
    const name = `${SITE}${listing.version}`;
    const found = (await caches.has(name)) ? await (await caches.open(name)).keys() : [];
    const there = new Set(found.map(({ url }) => url));
    const missing = total({ files: listing.files.filter(([path]) => !there.has(root + path)) });
    const { quota, usage } = await navigator.storage.estimate();
    if (quota - usage < missing) throw new Error(say("full", { mb: mb(missing), free: mb(Math.max(0, quota - usage)) }));
    await serve();
    // asks the browser not to clear it away by itself; it may say no
    navigator.storage.persist?.();
    const copy = await caches.open(name);
    const before = await kept();
    const same = new Map(before?.files.map(([path, , hash]) => [path, hash]));
    const old = before && (await caches.open(`${SITE}${before.version}`));
    const queue = [...listing.files];
    const failure = new AbortController();
    let got = 0;
    const one = async ([path, size, hash]) => {
      // what an interrupted call has kept is not fetched again
      if (!there.has(root + path)) {
        const unchanged = same.get(path) === hash && (await old.match(root + path));
        const options = { cache: "no-cache", integrity: `sha256-${hash}`, signal: failure.signal };
        await copy.put(root + path, unchanged || (await fetch(`${root}${path}?kept=${listing.version}`, options)));
      }
      got += size;
      report(say("keeping", { got: mb(got), all: mb(bytes) }));
    };
    const line = async () => {
      while (queue.length) await one(queue.pop());
    };
    try {
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, line));
    } finally {
      // after the first file that fails the others end as well
      queue.length = 0;
      failure.abort();
    }
    await copy.put(LISTING, new Response(JSON.stringify(listing)));
    for (const other of await own()) if (other !== name) await caches.delete(other);
    // the whole course has it
    if (scope === ALL) await caches.delete(PYTHON);
  }

  async function remove() {
    for (const name of [...(await own()), PYTHON]) await caches.delete(name);
    await (await navigator.serviceWorker.getRegistration(root))?.unregister();
  }

  // the control -------------------------------------------------------------------------------------------------------
  const element = (tag, facts = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), facts);
    made.append(...children);
    return made;
  };
  const text = element("p");
  text.setAttribute("role", "status");
  const buttons = element("div", { className: "run-bar" });
  const place = element("section", { className: "offline" }, text, buttons);
  place.setAttribute("aria-label", words.offline);

  function show(sentence, ...pressed) {
    text.textContent = sentence;
    const focused = buttons.contains(document.activeElement);
    buttons.replaceChildren(...pressed.map(([name, press]) => element("button", { type: "button", textContent: words[name], onclick: press })));
    if (focused) buttons.firstElementChild?.focus();
  }

  const toKeep = (name, scope) => [
    name,
    async () => {
      show(words.starting);
      try {
        await inTurn(() => keep(scope, show));
        await look();
      } catch (error) {
        console.warn(error);
        show(say("failed", { why: error.message }), toKeep(name, scope), toRemove);
      }
    },
  ];
  const { edition, megabytes, few } = me.dataset;
  const whole = toKeep("keep", ALL);
  const toRemove = [
    "remove",
    async () => {
      await inTurn(remove);
      await look();
      text.textContent = words.removed;
    },
  ];

  async function look() {
    await inTurn(() => {});
    const listing = await kept();
    if (!listing) {
      // what a run has kept of Python, or a call that was interrupted of the course
      const some = (await caches.has(PYTHON)) ? "python" : (await own()).length && "part";
      return show(say(some || "offer", { mb: megabytes, few }), whole, toKeep("keep_pages", edition), ...(some ? [toRemove] : []));
    }
    const { scope, files } = listing;
    if (scope === ALL) show(say("kept", { mb: mb(total(listing)) }), toRemove);
    else show(say("kept_pages", { mb: mb(total(listing)), edition: words.editions[scope], all: megabytes }), whole, toRemove);
    const now = await newest(scope).catch(() => listing);
    if (JSON.stringify(now.files) === JSON.stringify(files)) return;
    // where a reader sees it
    document.querySelector("article.bd-article").prepend(place);
    show(words.newer, toKeep("update", scope), toRemove);
  }

  document.querySelector("article.bd-article").append(place);
  if (location.protocol === "file:") show(words.file);
  else if (!window.isSecureContext) show(words.insecure);
  else if (!("serviceWorker" in navigator)) show(words.impossible);
  else {
    // the first press of Run keeps Python; whatever goes wrong here, Run goes on
    window.npoKeepPython = async () => {
      try {
        if ((await kept())?.scope !== ALL) await caches.open(PYTHON);
        await serve();
        await look();
      } catch (error) {
        console.warn(error);
      }
    };
    look().catch((error) => (console.warn(error), show(words.impossible)));
  }
})();
