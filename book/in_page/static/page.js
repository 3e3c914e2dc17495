// Run, Edit and Reset for the cells of a page. Python itself (worker.js) is loaded at the first press of Run.
(() => {
  "use strict";
  const me = document.currentScript;
  const { notebook, megabytes } = me.dataset;
  const words = JSON.parse(me.dataset.words);
  const folder = new URL(".", me.src).href;
  const version = new URL(me.src).search;
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const isAssignment = notebook.includes("/homework/");
  const say = (name, facts = {}) => words[name].replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
  const element = (tag, facts = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), facts);
    made.append(...children);
    return made;
  };
  // between sentences
  const GAP = language === "zh" ? "" : " ";
  const join = (...sentences) => sentences.filter(Boolean).join(GAP);
  const note = (...parts) => element("p", { className: "run-note" }, ...parts);

  const places = [...document.querySelectorAll("article .cell")].filter((place) => place.querySelector(".cell_input pre"));
  const isFile = location.protocol === "file:";
  if (isFile || !(window.Worker && window.WebAssembly && window.DecompressionStream)) {
    const command = element("code", { textContent: "python -m http.server --bind 127.0.0.1" });
    places.find((place) => !place.closest("details"))?.before(isFile ? note(words.file, " ", command) : note(words.old));
    return;
  }

  // one Python for the page -------------------------------------------------------------------------------------------
  let worker, started, interrupt;
  class Stopped extends Error {}

  // sends a task to the worker; what it says until the end goes to `hear`
  function ask(task, hear) {
    return new Promise((resolve, reject) => {
      interrupt = reject;
      worker.onmessage = ({ data }) => {
        if (data.kind === "done") resolve(data);
        else if (data.kind === "failed") reject(Object.assign(new Error(data.text), data));
        else hear(data);
      };
      // without a message the script itself did not come
      worker.onerror = ({ message }) => reject(Object.assign(new Error(message), { lost: message ? "" : "worker.js" }));
      worker.postMessage(task);
    });
  }

  // a worker cannot be interrupted, only ended: what it knew is gone, what was typed is in the page
  function end(why) {
    worker?.terminate();
    worker = started = undefined;
    for (const cell of cells) cell.hasRun = false;
    interrupt?.(new Stopped(why));
  }

  const start = (hear) => (started ??= load(hear));
  async function load(hear) {
    // offline.js: what is loaded now is there on the next visit
    await Promise.race([window.npoKeepPython?.(), new Promise((_, reject) => (interrupt = reject))]);
    worker = new Worker(`${folder}worker.js${version}`);
    return ask({ task: "start", folder, version, language }, hear);
  }

  // a cell --------------------------------------------------------------------------------------------------------------
  const cells = [];
  // different answers after which the solution is shown
  const ATTEMPTS = 3;
  let busy, waiting;
  // until Python has started once
  let isFirst = true;
  // for screen readers: what ran, and what came out
  const voice = element("div", { className: "run-voice" });
  voice.setAttribute("role", "status");

  // a line that returns to its start is written over
  const returned = (text) => (text.includes("\r") ? text.replace(/\r+\n/g, "\n").replace(/[^\n]*\r(?=[^\n])/g, "") : text);

  class Cell {
    constructor(place, index) {
      Object.assign(this, { place, index, number: index + 1, hasRun: false, queue: [], sizes: new Map() });
      this.input = place.querySelector(".cell_input");
      this.source = this.input.querySelector("pre").textContent.replace(/\n$/, "");
      // cells may have the same text
      this.nth = cells.filter(({ source }) => source === this.source).length;
      this.recorded = place.querySelector(".cell_output");
      // the figure that the book made of it
      this.picture = place.nextElementSibling?.matches("figure") ? place.nextElementSibling.querySelector("img") : null;
      this.live = element("div", { className: "cell_output live", hidden: true });
      this.live.setAttribute("role", "group");
      this.live.setAttribute("aria-label", say("output", this));
      this.word = "run";
      this.run = this.button("run", () => (busy === this ? end(words.stopped) : runTo(this)));
      this.edit = this.button("edit", () => {
        const area = this.open();
        // not at the end, where a phone would show the ends of the lines
        area.setSelectionRange(0, 0);
        area.focus();
      });
      this.reset = this.button("reset", () => this.restore());
      this.reset.hidden = true;
      this.status = element("span", { className: "run-status" });
      this.loaded = element("span", { className: "run-loaded" });
      const number = element("span", { className: "run-number", textContent: `[${this.number}]` });
      this.bar = element("div", { className: "run-bar" }, number, this.run, this.edit, this.reset, this.status, this.loaded);
      this.input.after(this.bar, this.live);
      const mark = JSON.parse(this.input.dataset.mark ?? "{}");
      if (mark.needs) {
        this.status.append(say(mark.needs), GAP, element("a", { href: notebook, textContent: words.notebook }));
        this.run.disabled = this.edit.hidden = true;
      }
      this.seconds = mark.seconds ?? 0;
      this.slow = mark.seconds ? say("slow", mark) : "";
      if (this.slow) this.status.textContent = this.slow;
    }

    button(word, press) {
      const made = element("button", { type: "button", onclick: press });
      this.name(made, word);
      return made;
    }

    name(button, word) {
      button.textContent = words[word];
      button.setAttribute("aria-label", `${words[word]} ${say("cell", this)}`);
    }

    get code() {
      return this.area?.value ?? this.source;
    }

    get isEdited() {
      return this.code !== this.source;
    }

    // `more` is for those who do not see the output
    report(text, more = "") {
      this.status.textContent = text;
      voice.textContent = text && `${say("cell", this)}: ${text} ${more}`;
    }

    open(text = this.source) {
      if (!this.area) {
        this.area = window.npoEditor({
          label: say("editor", this),
          changed: () => this.changed(),
          run: () => busy !== this && this.run.click(),
        });
        // the part of the code that only draws
        for (const fold of this.input.querySelectorAll("details")) fold.open = true;
        const keys = element("p", { className: "run-keys", id: `run-keys-${this.number}`, textContent: words.keys });
        this.area.setAttribute("aria-describedby", keys.id);
        this.input.append(this.area, keys);
        this.input.classList.add("edited");
        this.edit.hidden = true;
      }
      this.put(text);
      this.reset.hidden = false;
      return this.area;
    }

    put(text) {
      this.area.value = text;
      this.area.fit();
    }

    changed() {
      this.hasRun = false;
      this.reset.hidden = false;
      if (busy !== this) this.report("");
      remember(this);
    }

    restore() {
      const text = this.isEdited && this.code;
      this.close();
      this.clear();
      this.hasRun = false;
      this.reset.hidden = true;
      remember(this);
      this.report(words.restored);
      this.run.focus();
      if (text) this.status.append(" ", this.button("again", () => this.replace(text)));
    }

    // nothing that was typed is lost
    replace(text) {
      const last = this.isEdited && this.code;
      this.open(text).focus();
      this.changed();
      if (last) this.status.append(this.button("again", () => this.replace(last)));
    }

    close() {
      this.area?.remove();
      this.input.querySelector(".run-keys")?.remove();
      this.area = undefined;
      this.input.classList.remove("edited");
      this.edit.hidden = false;
    }

    // the recorded output is there again
    clear() {
      this.live.replaceChildren();
      this.live.hidden = true;
      if (this.recorded) this.recorded.hidden = false;
      this.drawn?.remove();
      this.drawn = undefined;
      if (this.picture) this.picture.hidden = false;
    }

    hear(said) {
      if (said.kind === "loading") busy.hearLoading(said);
      else {
        // a loop may print faster than a page can show
        const last = this.queue.at(-1);
        if (last?.kind === said.kind && "text" in said) last.text += said.text;
        else this.queue.push({ ...said });
        this.timer ??= setTimeout(() => this.show(), 50);
      }
    }

    hearLoading({ file, bytes, share }) {
      this.sizes.set(file, { bytes, share: Math.min(1, share) });
      const sum = (of) => [...this.sizes.values()].reduce((total, size) => total + of(size), 0) / 1e6;
      // what the first run has said; a later part may come on top
      const whole = Math.max(sum((size) => size.bytes), isFirst ? megabytes : 0);
      const [got, all] = [sum((size) => size.bytes * size.share), whole].map((size) => size.toFixed(1));
      this.loaded.textContent = got === all ? "" : say("loading", { got, all });
    }

    show() {
      clearTimeout(this.timer);
      this.timer = undefined;
      if (this.isFresh) {
        this.clear();
        this.isFresh = false;
        this.live.hidden = false;
        if (this.recorded) this.recorded.hidden = true;
      }
      for (const said of this.queue.splice(0)) this.append(said);
    }

    append(said) {
      const { live } = this;
      if (said.kind === "figure") {
        const alt = this.picture && !this.isEdited ? this.picture.alt : say("figure", this);
        const box = element("div", { className: "run-figure" }, element("img", { alt, src: `data:image/svg+xml,${encodeURIComponent(said.svg)}` }));
        if (!this.picture || this.drawn) live.append(box);
        else {
          this.picture.hidden = true;
          this.picture.after(box);
          this.drawn = box;
        }
      } else if (said.kind === "widget") {
        window.npoWidgetState(JSON.parse(said.state));
        const place = live.appendChild(element("div", { lang: document.documentElement.lang }));
        window.npoMountWidget({ id: JSON.parse(said.view).model_id, sources: [], place });
      } else {
        let pre = live.lastElementChild;
        if (pre?.dataset.kind !== said.kind) {
          pre = live.appendChild(element("pre", { className: "run-text" }));
          pre.dataset.kind = said.kind;
        }
        pre.textContent = returned(pre.textContent + (said.kind === "flood" ? say("flood", said) : said.text));
        // a long output scrolls
        if (pre.scrollHeight > pre.clientHeight) pre.tabIndex = 0;
      }
    }

    // what a screen reader says of the output
    get summary() {
      const text = this.live.textContent.trim();
      const figures = [this.drawn, ...this.live.children].filter((part) => part?.matches(".run-figure")).length;
      return `${text.length > 400 ? say("long", { lines: text.split("\n").length }) : text} ${figures ? say("figures", { figures }) : ""}`;
    }

    // a task for Python, whose output replaces the last one as soon as it comes
    async perform(task) {
      this.isFresh = true;
      this.reset.hidden = false;
      try {
        return await ask({ cell: `<cell ${this.number}>`, code: this.code, ...task }, (said) => this.hear(said));
      } finally {
        this.show();
      }
    }

    async execute() {
      const { well, seconds } = await this.perform({ task: "run" });
      this.hasRun = well;
      this.report(well ? say("ran", { seconds: seconds < 1 ? seconds.toPrecision(1) : seconds.toFixed(seconds < 10 ? 1 : 0) }) : words.raised, this.summary);
      return well;
    }

    // before the cells below it
    prepare() {
      return this.execute();
    }
  }

  // a question of an assignment: what is typed is run, and then its check
  class Question extends Cell {
    constructor(place, index) {
      super(place, index);
      this.attempts = new Set();
      this.word = "check";
      this.name(this.run, "check");
      this.open();
      this.reset.hidden = true;
    }

    close() {
      this.put(this.source);
    }

    get isAlone() {
      return "alone" in this.place.dataset;
    }

    hear(said) {
      if (said.kind === "checking") this.limit = said.seconds;
      else super.hear(said);
      // what is loaded on the way does not count, what is printed does
      if (!this.limit || !["checking", "loading"].includes(said.kind)) return;
      clearTimeout(this.clock);
      this.clock = setTimeout(() => end(say("slow_check", { seconds: this.limit })), 1000 * this.limit);
    }

    async execute() {
      const { check } = this.place.dataset;
      try {
        const { well } = await this.perform({ task: "check", check, alone: this.isAlone });
        this.hasRun = well && !this.isAlone;
        if (this.isEdited) this.attempts.add(this.code.replace(/\s+/g, " ").trim());
        if (well || this.attempts.size >= ATTEMPTS) this.explain(well);
        this.report(well ? words.right : words.wrong, this.summary);
      } finally {
        clearTimeout(this.clock);
        this.limit = undefined;
      }
    }

    // an answer may use earlier ones; whether they are right is another matter
    async prepare() {
      if (this.isEdited && !this.isAlone) await ask({ task: "run", cell: `<cell ${this.number}>`, code: this.code }, () => {});
    }

    explain(isOpen) {
      if (!this.solution) {
        const code = element("pre", { textContent: this.place.dataset.solution, className: "run-text" });
        this.solution = element("details", { className: "run-solution" }, element("summary", { textContent: words.solution }), code);
        const why = this.place.querySelector(".run-explanation");
        if (why) {
          this.solution.append(why);
          why.hidden = false;
        }
        this.live.after(this.solution);
        remember(this);
      }
      this.solution.open ||= isOpen;
    }
  }

  // what a cell was told while another ran is no longer true
  function stopWaiting() {
    if (waiting) waiting.status.textContent = waiting.slow;
    waiting = undefined;
  }

  async function runTo(cell) {
    if (busy) {
      stopWaiting();
      waiting = cell;
      cell.report(say("busy", busy));
      return;
    }
    busy = cell;
    cell.name(cell.run, "stop");
    cell.sizes.clear();
    cell.report(words.starting);
    cell.reset.disabled = true;
    const first = note(say("before", { megabytes }));
    if (isFirst) cell.bar.after(first);
    const failed = [];
    let isReady = false;
    try {
      await start((said) => cell.hear(said));
      isReady = true;
      const before = cell.isAlone ? [] : cells.slice(0, cell.index).filter((other) => !other.hasRun && !other.run.disabled && !other.isAlone);
      const seconds = [...before, cell].reduce((sum, { seconds }) => sum + seconds, 0);
      const inAll = seconds < 60 ? "" : say("in_all", { minutes: Math.round(seconds / 60) });
      for (const [n, other] of before.entries()) {
        cell.report(join(say("above", { n: n + 1, all: before.length }), inAll));
        if ((await other.prepare()) === false) failed.push(`[${other.number}]`);
      }
      cell.report(join(words.running, cell.slow));
      await cell.execute();
      if (failed.length) cell.report(join(cell.status.textContent, say("failed_above", { cells: failed.join(" ") })), cell.summary);
    } catch (error) {
      if (error instanceof Stopped) cell.report(error.message);
      else {
        console.error(error);
        // Python goes on when only a part that it imports did not come
        if (!error.lost || !isReady) end();
        cell.report(say(error.lost ? "lost" : "died", { button: words[cell.word], why: error.message, file: error.lost }));
      }
    } finally {
      busy = undefined;
      if (isReady) isFirst = false;
      stopWaiting();
      first.remove();
      cell.loaded.textContent = "";
      cell.reset.disabled = false;
      cell.name(cell.run, cell.word);
    }
  }

  // what a reader typed is kept in the browser, under the cell's own text ---------------------------------------------------
  const KEY = `npo-cells:${location.pathname}`;
  const isOf = (cell) => (own) => own.source === cell.source && own.nth === cell.nth;
  let isKept = true;
  function stored() {
    try {
      return [JSON.parse(localStorage.getItem(KEY)) ?? []].flat();
    } catch {
      return [];
    }
  }
  function store(kept, cell) {
    try {
      if (kept.length) localStorage.setItem(KEY, JSON.stringify(kept));
      else localStorage.removeItem(KEY);
    } catch {
      // forbidden, or full: said once
      if (isKept) cell.bar.after(note(words.unkept));
      isKept = false;
    }
  }
  function remember(cell) {
    const { source, nth, index, code, solution } = cell;
    const kept = stored().filter((own) => !isOf(cell)(own));
    if (cell.isEdited || solution) kept.push({ source, nth, index, text: code, solution: Boolean(solution) });
    store(kept, cell);
    showFoot();
  }
  function recall() {
    for (const own of stored()) {
      const cell = cells.find((cell) => isOf(cell)(own));
      if (cell) {
        if (own.text !== cell.source) cell.open(own.text);
        if (own.solution) cell.explain(false);
      } else if (own.text !== own.source) offer(cells[Math.min(own.index, cells.length - 1)], own);
    }
    showFoot();
  }
  // the book's cell is not what the reader changed: both are kept
  function offer(cell, { source, nth, text }) {
    const drop = () => {
      store(stored().filter((own) => !isOf({ source, nth })(own)), cell);
      box.remove();
      (cell.area ?? cell.run).focus();
    };
    const use = cell.button("use", () => {
      cell.replace(text);
      drop();
    });
    const pre = element("pre", { textContent: text, className: "run-text" });
    const box = element("div", { className: "run-changed" }, note(words.changed), pre, use, " ", cell.button("forget", drop));
    cell.bar.after(box);
  }

  // the page's notebook, with the changes -----------------------------------------------------------------------------------
  const download = element("button", { type: "button", textContent: words.download, onclick: save });
  const foot = element("div", { className: "run-foot", hidden: true }, note(isAssignment ? words.hand_in : words.kept), download);

  const showFoot = () => (foot.hidden = !isAssignment && !cells.some(({ isEdited }) => isEdited));

  // an answer in a chapter has no cell in the chapter's notebook: it comes at its end, with its check
  const answerCell = ({ number, code, place: { dataset } }) => ({
    cell_type: "code",
    execution_count: null,
    id: `answer-${number}`,
    metadata: {},
    outputs: [],
    source: `from npo_tutorial.homework import ${dataset.check.split("(")[0]}\n\n${code}\n\n\n${dataset.check}`,
  });
  async function save() {
    try {
      const answer = await fetch(notebook);
      if (!answer.ok) throw new Error(answer.status);
      const made = await answer.json();
      const code = made.cells.filter((own) => own.cell_type === "code");
      for (const cell of cells.filter(({ isEdited }) => isEdited)) {
        const own = code.filter(({ source }) => [].concat(source).join("") === cell.source)[cell.nth];
        if (own) Object.assign(own, { source: cell.code, outputs: [], execution_count: null });
        else if (cell.isAlone) made.cells.push(answerCell(cell));
      }
      const href = URL.createObjectURL(new Blob([JSON.stringify(made, null, 1)], { type: "application/x-ipynb+json" }));
      element("a", { href, download: notebook.split("/").at(-1) }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    } catch (error) {
      console.error(error);
      download.after(note(say("lost", { file: notebook.split("/").at(-1), button: words.download })));
    }
  }

  for (const place of places) cells.push(new (place.dataset.check ? Question : Cell)(place, cells.length));
  document.querySelector("article").append(foot, voice);
  recall();
  performance.mark("run-ready");
})();
