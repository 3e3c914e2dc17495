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
const loading = ({ file, bytes }, share) => say("loading", { file, bytes, share });

// the file that did not arrive whole; Python that waits for it may wait forever, so the page hears of it at once
let lost;
function lose(file, why) {
  lost ??= file;
  say("failed", { lost, text: `${file}: ${why}` });
}

// a file of Pyodide, counted as it arrives
async function get(file, type) {
  const reader = await ask(address(file)).then(
    (answer) => (answer.ok ? answer.body.getReader() : lose(file.file, answer.status)),
    (error) => lose(file.file, error.message),
  );
  if (!reader) throw new Error(file.file);
  let seen = 0;
  const counted = new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        seen += value.length;
        loading(file, seen / file.bytes);
        controller.enqueue(value);
      } catch (error) {
        lose(file.file, error.message);
        controller.error(error);
      }
    },
  });
  const body = file.file.endsWith(".gz") ? counted.pipeThrough(new DecompressionStream("gzip")) : counted;
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
  const part = listing.parts[name];
  (part.needs ?? []).forEach(load);
  lost = part.file;
  loading(part, 0);
  const request = new XMLHttpRequest();
  request.open("GET", address(part), false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${part.file}: ${request.status}`);
  loading(part, 1);
  python.unpackArchive(request.response, "zip", { extractDir: part.library ? "/usr/lib" : PACKAGES });
  if (part.library) link(part.library);
  lost = undefined;
  loaded.add(name);
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
  lost = "parts.json";
  // `version` is another one as soon as anything here is another
  listing = await (await ask(`${base}parts.json${version}`)).json();
  lost = "runner.py";
  const program = await ask(`${base}runner.py${version}`);
  if (!program.ok) throw new Error(program.status);
  const source = await program.text();
  lost = undefined;
  const files = Object.values(listing.core);
  for (const file of files) loading(file, 0);
  await runScript("pyodide.js");
  // Pyodide would load this by its own name; once it is there, it does not
  await runScript("pyodide.asm.js");
  python = await loadPyodide({
    indexURL: base,
    // no package is ever taken from elsewhere
    lockFileURL: `data:application/json,${encodeURIComponent(JSON.stringify({ info: listing.info, packages: {} }))}`,
    env: {
      HOME: "/home/pyodide",
      LANG: "C.UTF-8",
      MPLBACKEND: "module://npo_runner",
      MPLCONFIGDIR: "/home/pyodide",
      NPO_TUTORIAL_LANG: language,
      // the page says by itself that a cell is running
      TQDM_DISABLE: "1",
    },
  });
  for (const file of files) loading(file, 1);
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
  check: ({ cell, code, check, alone }) => runner.check(code, cell, check, alone),
};

onmessage = async ({ data }) => {
  const began = performance.now();
  lost = undefined;
  try {
    const well = await TASKS[data.task](data);
    say("done", { well: well !== false, seconds: (performance.now() - began) / 1000 });
  } catch (error) {
    console.error(error);
    say("failed", { lost, text: String(error?.message ?? error) });
  }
};
