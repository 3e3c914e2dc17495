// Run, Edit and Reset for the cells of a page. Python itself (worker.js) is loaded at the first press of Run.
(() => {
  "use strict";
  const me = document.currentScript;
  const folder = new URL(".", me.src).href;
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const words = JSON.parse(me.dataset.words);
  const say = (name, facts = {}) => words[name].replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

  // one Python for the page -------------------------------------------------------------------------------------------
  let worker, started, hearing;
  const sizes = new Map();

  function progress(report) {
    const all = [...sizes.values()];
    const sum = (of) => megabytes(all.reduce((total, size) => total + of(size), 0));
    report(say("loading", { got: sum(({ bytes, share }) => bytes * share), all: sum(({ bytes }) => bytes) }));
  }

  function begin() {
    worker = new Worker(`${folder}worker.js`);
    worker.onmessage = ({ data }) => hearing?.(data);
    worker.onerror = (event) => hearing?.({ kind: "failed", text: event.message || "worker" });
  }

  // sends a task to the worker; what it says until the end goes to `hear`
  function ask(task, hear) {
    return new Promise((resolve, reject) => {
      hearing = (said) => {
        if (said.kind === "done") resolve(said);
        else if (said.kind === "failed") reject(new Error(said.text));
        else if (said.kind === "stopped") reject(new Stopped(said.why));
        else hear(said);
      };
      worker.postMessage(task);
    });
  }
  class Stopped extends Error {}

  function hearLoading(said, report) {
    if (said.kind === "loading") sizes.set(said.file, { bytes: said.bytes, share: 0 });
    else if (said.kind === "bytes" && sizes.has(said.file)) sizes.get(said.file).share = Math.min(1, said.share);
    else return false;
    progress(report);
    return true;
  }

  function end(why = words.stopped) {
    worker?.terminate();
    hearing?.({ kind: "stopped", why });
    worker = started = hearing = undefined;
    for (const cell of cells) cell.hasRun = false;
  }

  const start = (report) =>
    (started ??= (begin(), ask({ task: "start", folder, language }, (said) => hearLoading(said, report))));

  // a cell --------------------------------------------------------------------------------------------------------------
  const element = (tag, facts = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), facts);
    made.append(...children);
    return made;
  };
  const cells = [];
  // seconds of a check, and different answers after which the solution is shown
  const LIMIT = 20;
  const ATTEMPTS = 3;
  let busy;

  class Cell {
    constructor(place, index) {
      Object.assign(this, { place, index, hasRun: false });
      this.input = place.querySelector(".cell_input");
      this.source = this.input.querySelector("pre").textContent.replace(/\n$/, "");
      this.recorded = place.querySelector(".cell_output");
      this.live = element("div", { className: "cell_output live", hidden: true });
      this.live.setAttribute("aria-label", words.output);
      this.status = element("span", { className: "run-status" });
      this.status.setAttribute("role", "status");
      this.label = words.run;
      this.run = this.button("run", () => (busy === this ? end() : runTo(this)));
      this.edit = this.button("edit", () => this.open());
      this.reset = this.button("reset", () => this.restore());
      this.bar = element("div", { className: "run-bar" }, this.run, this.edit, this.reset, this.status);
      const mark = JSON.parse(this.input.dataset.mark ?? "{}");
      if (mark.needs) {
        this.status.append(say(mark.needs), " ", element("a", { href: me.dataset.notebook, textContent: words.notebook }));
        this.run.disabled = true;
      } else if (mark.seconds) this.status.textContent = say("slow", mark);
      this.input.after(this.bar, this.live);
      this.reset.hidden = true;
    }

    button(name, press) {
      const made = element("button", { type: "button", textContent: words[name], onclick: press });
      made.setAttribute("aria-label", `${words[name]} [${this.index + 1}]`);
      return made;
    }

    get code() {
      return this.area?.value ?? this.source;
    }

    // before the first run
    announce() {
      this.live.hidden = false;
      this.live.replaceChildren(element("p", { className: "run-note", textContent: say("before", { mb: me.dataset.megabytes }) }));
    }

    report(text) {
      this.status.textContent = text;
    }

    open(text = this.source) {
      if (!this.area) {
        const pre = this.input.querySelector("pre");
        this.area = element("textarea", { value: text, spellcheck: false, autocapitalize: "off", className: "run-editor" });
        for (const name of ["autocorrect", "autocomplete"]) this.area.setAttribute(name, "off");
        this.area.setAttribute("aria-label", words.editor);
        this.area.title = words.editor;
        makeEditor(this.area);
        this.area.addEventListener("input", () => this.keep());
        pre.closest("div.highlight, .highlight").after(this.area);
        this.input.classList.add("edited");
        fit(this.area);
      }
      this.area.value = text;
      this.reset.hidden = false;
      fit(this.area);
      return this.area;
    }

    keep() {
      fit(this.area);
      this.hasRun = false;
      remember(this);
    }

    restore() {
      this.area?.remove();
      this.area = undefined;
      this.input.classList.remove("edited");
      this.live.hidden = true;
      this.live.replaceChildren();
      if (this.recorded) this.recorded.hidden = false;
      this.hasRun = false;
      this.report("");
      this.reset.hidden = true;
      remember(this);
      if (this instanceof Question) this.open();
    }

    hear(said) {
      const { live } = this;
      if (hearLoading(said, (text) => this.report(text))) return;
      if (said.kind === "figure") {
        const svg = new DOMParser().parseFromString(said.svg, "image/svg+xml").documentElement;
        live.append(element("div", { className: "run-figure" }, document.importNode(svg, true)));
      } else if (said.kind === "widget") {
        window.npoWidgetState(JSON.parse(said.state));
        const place = live.appendChild(element("div", { lang: document.documentElement.lang }));
        window.npoMountWidget({ id: JSON.parse(said.view).model_id, sources: [], place });
      } else {
        const text = said.kind === "flood" ? say("flood", said) : said.text;
        const last = live.lastElementChild;
        if (last?.dataset.kind === said.kind) last.textContent += text;
        else {
          const pre = live.appendChild(element("pre", { textContent: text, className: "run-text" }));
          pre.dataset.kind = said.kind;
        }
      }
    }

    async execute() {
      this.live.replaceChildren();
      this.live.hidden = false;
      if (this.recorded) this.recorded.hidden = true;
      this.reset.hidden = false;
      const { well, seconds } = await ask({ task: "run", cell: `<cell ${this.index + 1}>`, code: this.code }, (said) => this.hear(said));
      this.hasRun = well;
      this.report(well ? say("ran", { seconds: seconds.toFixed(seconds < 10 ? 1 : 0) }) : words.raised);
      return well;
    }
  }

  // a question of an assignment: what is typed is run, and then its check
  class Question extends Cell {
    constructor(place, index) {
      super(place, index);
      this.attempts = new Set();
      this.label = this.run.textContent = words.check;
      this.edit.hidden = true;
      this.open();
      this.reset.hidden = true;
    }

    hear(said) {
      if (said.kind === "checking") this.clock = setTimeout(() => end(words.slow_check), 1000 * LIMIT);
      else super.hear(said);
    }

    async execute() {
      this.live.replaceChildren();
      this.live.hidden = false;
      this.reset.hidden = false;
      this.attempts.add(this.code);
      const task = { task: "check", cell: `<cell ${this.index + 1}>`, code: this.code, check: this.place.dataset.check, language };
      try {
        const { well } = await ask(task, (said) => this.hear(said));
        this.report(well ? words.right : words.wrong);
        this.hasRun = well;
        if (well || this.attempts.size >= ATTEMPTS) this.explain();
      } finally {
        clearTimeout(this.clock);
      }
    }

    explain() {
      if (this.solution) return;
      const code = element("pre", { textContent: this.place.dataset.solution, className: "run-text" });
      this.solution = element("details", { className: "run-solution" }, element("summary", { textContent: words.solution }), code);
      this.live.after(this.solution);
    }
  }

  async function runTo(cell) {
    if (busy) return;
    busy = cell;
    cell.run.textContent = words.stop;
    cell.report(words.starting);
    if (!started) cell.announce();
    try {
      await start((text) => cell.report(text));
      const before = cells.slice(0, cell.index).filter((other) => !other.hasRun && !other.run.disabled && !(other instanceof Question));
      for (const [n, other] of before.entries()) {
        cell.report(say("above", { n: n + 1, all: before.length }));
        await other.execute();
      }
      cell.report(words.running);
      await cell.execute();
    } catch (error) {
      if (error instanceof Stopped) cell.report(error.message);
      else {
        console.error(error);
        end();
        cell.report(say("died", { why: error.message }));
      }
    } finally {
      busy = undefined;
      cell.run.textContent = cell.label;
    }
  }

  // an editor -------------------------------------------------------------------------------------------------------------
  const fit = (area) => (area.rows = Math.max(2, area.value.split("\n").length));
  function makeEditor(area) {
    let leaves = false;
    const type = (text) => document.execCommand("insertText", false, text); // keeps undo
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leaves = true;
      else if (event.key === "Tab" && !event.shiftKey && !leaves) {
        event.preventDefault();
        type("    ");
      } else if (event.key === "Enter" && !event.isComposing) {
        const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
        event.preventDefault();
        type(`\n${line.match(/^ */)[0]}${/:\s*(#.*)?$/.test(line) ? "    " : ""}`);
      } else if (event.key !== "Shift") leaves = false;
    });
    area.addEventListener("blur", () => (leaves = false));
  }

  // what a reader typed is kept in the browser, under the cell's own text ---------------------------------------------------
  const KEY = `npo-cells:${location.pathname}`;
  const stored = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {};
    }
  };
  function remember(cell) {
    const kept = stored();
    if (cell.area && cell.area.value !== cell.source) kept[cell.source] = { index: cell.index, text: cell.area.value };
    else delete kept[cell.source];
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch (error) {
      console.warn(error);
    }
    showDownload(kept);
  }
  function recall() {
    const kept = stored();
    for (const [source, { index, text }] of Object.entries(kept)) {
      const cell = cells.find((own) => own.source === source);
      if (cell) cell.open(text);
      else offer(cells[Math.min(index, cells.length - 1)], source, text);
    }
    showDownload(kept);
  }
  function offer(cell, source, text) {
    const drop = () => {
      const kept = stored();
      delete kept[source];
      localStorage.setItem(KEY, JSON.stringify(kept));
      box.remove();
    };
    const use = element("button", { type: "button", textContent: words.use, onclick: () => (cell.open(text), remember(cell), drop()) });
    const forget = element("button", { type: "button", textContent: words.forget, onclick: drop });
    const box = element("div", { className: "run-changed" }, element("p", { textContent: words.changed }), element("pre", { textContent: text }), use, forget);
    cell.bar.after(box);
  }

  // the page's notebook, with the changes -----------------------------------------------------------------------------------
  let download;
  function showDownload(kept) {
    if (!download && Object.keys(kept).length) {
      download = element("button", { type: "button", className: "run-download", textContent: words.download, onclick: save });
      document.querySelector("article").append(download);
    }
    if (download) download.hidden = !Object.keys(kept).length;
  }
  async function save() {
    const notebook = await (await fetch(me.dataset.notebook)).json();
    const changed = cells.filter(({ area }) => area);
    for (const { source, code } of changed) {
      const cell = notebook.cells.find((own) => own.cell_type === "code" && [].concat(own.source).join("") === source);
      if (cell) cell.source = code;
    }
    const link = element("a", {
      href: URL.createObjectURL(new Blob([JSON.stringify(notebook, null, 1)], { type: "application/x-ipynb+json" })),
      download: me.dataset.notebook.split("/").at(-1),
    });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  document.querySelectorAll("article .cell").forEach((place, index) => {
    if (place.querySelector(".cell_input pre")) cells.push(new (place.dataset.check ? Question : Cell)(place, cells.length));
  });
  recall();
  performance.mark("run-ready");
})();
