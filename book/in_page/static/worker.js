// Python of a page: cells come in, outputs go out. The page starts it at the first press of Run, and stops it by ending it.
//
// Parts (parts.json) are loaded by a request for which Python waits in its import statement, so that an import may stand
// anywhere, in a function too; the page itself never waits.
"use strict";
const PACKAGES = "/lib/python3.12/site-packages";
const say = (kind, more) => postMessage({ kind, ...more });
let base, listing, python, runner;
const loaded = new Set();

const address = ({ file, hash }) => `${base}${file}?v=${hash}`;

// a file of Pyodide, counted as it arrives
async function get(file, type) {
  const answer = await ask(address(file));
  if (!answer.ok) throw new Error(`${file.file}: ${answer.status}`);
  let seen = 0;
  const counter = new TransformStream({
    transform(chunk, controller) {
      seen += chunk.length;
      say("bytes", { file: file.file, share: seen / file.bytes });
      controller.enqueue(chunk);
    },
  });
  let body = answer.body.pipeThrough(counter);
  if (file.file.endsWith(".gz")) body = body.pipeThrough(new DecompressionStream("gzip"));
  // WebAssembly is compiled while it arrives
  return new Response(body, { headers: { "content-type": type } });
}

// what Pyodide asks for by itself comes from `get`
const ask = self.fetch.bind(self);
self.fetch = (target, options) => {
  const file = listing?.core[new URL(target.url ?? target, base).pathname.split("/").at(-1)];
  return file ? get(file, file.file.includes("wasm") ? "application/wasm" : "application/octet-stream") : ask(target, options);
};

async function runScript(name) {
  const code = await (await get(listing.core[name], "text/javascript")).blob();
  const place = URL.createObjectURL(code);
  importScripts(place);
  URL.revokeObjectURL(place);
}

function load(name) {
  if (loaded.has(name)) return;
  loaded.add(name);
  const part = listing.parts[name];
  (part.needs ?? []).forEach(load);
  say("loading", { file: part.file, bytes: part.bytes });
  const request = new XMLHttpRequest();
  request.open("GET", address(part), false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${part.file}: ${request.status}`);
  say("bytes", { file: part.file, share: 1 });
  python.unpackArchive(request.response, "zip", { extractDir: part.library ? "/usr/lib" : PACKAGES });
  if (part.library) link(part.library);
}

// Pyodide 0.27 does this only for packages that it loads itself, and not at once; gone when it has a public call for it
function link(library) {
  const fs = {
    findObject: (path) => python.FS.analyzePath(path).exists,
    readFile: (path) => python.FS.readFile(path),
  };
  const path = `/usr/lib/${library}`;
  python._module.loadDynamicLibrary(path, { global: true, loadAsync: false, nodelete: true, allowUndefined: true, fs });
  const known = python._module.LDSO.loadedLibsByName;
  known[library] = known[path];
}

async function start({ folder, version, language }) {
  base = folder;
  // `version` is another one as soon as anything here is another
  listing = await (await fetch(`${base}parts.json${version}`)).json();
  const files = Object.values(listing.core);
  for (const { file, bytes } of files) say("loading", { file, bytes });
  importScripts(address(listing.core["pyodide.js"]));
  // Pyodide would load this by its own name; once it is there, it does not
  await runScript("pyodide.asm.js");
  python = await loadPyodide({
    indexURL: base,
    // no package is ever taken from elsewhere
    lockFileURL: `data:application/json,${encodeURIComponent(JSON.stringify({ info: listing.info, packages: {} }))}`,
    env: { HOME: "/home/pyodide", MPLCONFIGDIR: "/home/pyodide", NPO_TUTORIAL_LANG: language, LANG: "C.UTF-8" },
  });
  for (const { file } of files) say("bytes", { file, share: 1 });
  const source = await (await fetch(`${base}runner.py${version}`)).text();
  python.FS.writeFile(`${PACKAGES}/npo_runner.py`, source);
  python.registerJsModule("npo_page", { load, say: (kind, json) => say(kind, JSON.parse(json)) });
  const modules = Object.fromEntries(
    Object.entries(listing.parts).flatMap(([name, part]) => (part.modules ?? []).map((module) => [module, name])),
  );
  runner = python.pyimport("npo_runner");
  runner.find_parts(JSON.stringify(modules));
}

const TASKS = {
  start,
  run: ({ cell, code }) => runner.run(code, cell),
  check: ({ cell, code, check, language }) => runner.check(code, cell, check, language),
};

onmessage = async ({ data }) => {
  const began = performance.now();
  try {
    const well = await TASKS[data.task](data);
    say("done", { id: data.id, well: well !== false, seconds: (performance.now() - began) / 1000 });
  } catch (error) {
    console.error(error);
    say("failed", { id: data.id, text: String(error?.message ?? error) });
  }
};
