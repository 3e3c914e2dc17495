// Mounts the anywidgets of a static page from the widget JSON in it: no kernel, no require.js, no other host.
//
// The state may be in the page, or its tag may name with data-src a script that calls npoWidgetState(…) with the same
// JSON. Such a script is loaded when the first view that needs it comes within one screen of the visible part; if there
// are several, data-models="id id …" lists the models that need each of them. What many models share may be in a model
// that the others name as their `base`. A .widget-stand-in after a view is shown until the widget replaces it.
//
// If window.npoGuest is set, this is a guest in a page that nbconvert or another Sphinx made: it leaves the widgets that
// it cannot mount to that page's own scripts.
(() => {
  // once is enough, however many copies of this script a page has
  if (window.npoWidgetState) return;
  const isGuest = Boolean(window.npoGuest);
  const STATE = "application/vnd.jupyter.widget-state+json";
  const VIEW = "application/vnd.jupyter.widget-view+json";
  const WORDS = {
    en: {
      failed: "This demo could not be started: ",
      kernel: "it only works in a running notebook.",
      policy: "the security policy of this page forbids its script. It must allow blob: in script-src.",
      unreachable: "its numbers cannot be loaded.",
      damaged: "its numbers are missing or damaged.",
      remedy: " Reload the page, or run the notebook that it comes from, which computes them anew.",
    },
    zh: {
      failed: "这个演示无法启动：",
      kernel: "它只能在运行中的笔记本里使用。",
      policy: "网页的安全策略不允许运行它的脚本；策略的 script-src 里要有 blob:。",
      unreachable: "它的数据加载失败。",
      damaged: "它的数据缺失或已损坏。",
      remedy: "请刷新页面再试；也可以运行它所在的笔记本，数据会重新算出。",
    },
  };

  class Model {
    constructor({ state, buffers = [] }) {
      this.state = { ...state };
      this.listeners = new Map();
      for (const { path, data } of buffers) {
        const characters = atob(data);
        const bytes = new Uint8Array(characters.length);
        for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
        const holder = path.slice(0, -1).reduce((part, key) => part[key], this.state);
        holder[path[path.length - 1]] = new DataView(bytes.buffer);
      }
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (this.state[name] === value) return;
      this.state[name] = value;
      for (const event of [`change:${name}`, "change"]) {
        for (const listener of [...(this.listeners.get(event) ?? [])]) listener(this, value);
      }
    }
    on(event, listener) {
      this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
    }
    off(event, listener) {
      if (listener) this.listeners.get(event)?.delete(listener);
      else if (event) this.listeners.delete(event);
      else this.listeners.clear();
    }
    save_changes() {}
    send() {}
  }

  const raw = {};
  window.npoWidgetState = ({ state }) => Object.assign(raw, state);
  const complete = ({ base, state, buffers }) => ({ buffers, state: { ...(base && raw[base].state), ...state } });
  const parsed = (script) => {
    try {
      return JSON.parse(script.textContent);
    } catch (error) {
      console.error(error);
      return {};
    }
  };

  const once = (make) => {
    const made = new Map();
    return (key) => (made.has(key) ? made : made.set(key, make(key))).get(key);
  };
  const loaded = once(
    (source) =>
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, { src: source, onload: resolve, onerror: () => reject(new Error(`cannot load ${script.src}`)) });
        document.head.append(script);
      }),
  );
  const widgetOf = once(async (code) => {
    // from a Blob, because a page opened from a disk may not import files
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const { default: widget } = await import(address);
    URL.revokeObjectURL(address);
    return typeof widget === "function" ? widget() : widget;
  });
  const styled = once((css) => {
    // not an element, which the page's policy may forbid
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  });
  let isForbidden = false;
  document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
    isForbidden ||= blockedURI.startsWith("blob");
  });
  const started = once(async (id) => {
    const model = new Model(complete(raw[id]));
    const widget = await widgetOf(model.get("_esm"));
    await widget.initialize?.({ model });
    return { model, widget };
  });

  async function mount({ id, sources, place }) {
    const words = WORDS[(place.closest("[lang]")?.lang || "en").split("-")[0]] ?? WORDS.en;
    const standIn = [...place.childNodes];
    let reason = words.unreachable + words.remedy;
    try {
      await Promise.all(sources.map(loaded));
      reason = words.damaged + words.remedy;
      if (!complete(raw[id]).state._esm) {
        reason = words.kernel;
        throw new Error(`${id} is no anywidget`);
      }
      const { model, widget } = await started(id);
      if (model.get("_css")) styled(model.get("_css"));
      place.replaceChildren();
      await widget.render?.({ model, el: place });
    } catch (error) {
      console.error(error);
      // the browser reports a violation after the error
      await new Promise((resume) => setTimeout(resume, 100));
      if (isForbidden) reason = words.policy;
      const message = document.createElement("p");
      message.setAttribute("role", "alert");
      message.dir = "ltr";
      message.textContent = words.failed + reason;
      // without what was drawn until then
      place.replaceChildren(message, ...standIn);
    }
    place.style.minHeight = "";
  }
  // for pages that get widgets later, with their state in npoWidgetState
  window.npoMountWidget = mount;
  const ready = () => performance.mark("widgets-ready");

  function mountAll() {
    const deferred = [];
    for (const script of document.querySelectorAll(`script[type="${STATE}"]`)) {
      if (script.dataset.src) deferred.push(script.dataset);
      else window.npoWidgetState(parsed(script));
    }
    const views = [...document.querySelectorAll(`script[type="${VIEW}"]`)].flatMap((script) => {
      const id = parsed(script).model_id;
      if (isGuest && !raw[id]?.state._esm) return [];
      const next = script.nextElementSibling;
      const place = next?.matches(".widget-stand-in") ? next : document.createElement("div");
      script.after(place);
      // another script that mounts widgets, which nbconvert's pages load, must not find it
      if (isGuest) script.remove();
      const holders = raw[id] ? [] : deferred.filter(({ models }) => !models || models.split(/\s+/).includes(id));
      return { id, place, sources: holders.map(({ src }) => src) };
    });
    const waiting = views.filter(({ sources }) => sources.length);
    const near = new IntersectionObserver(
      (entries) => {
        for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
          near.unobserve(target);
          mount(waiting.find(({ place }) => place === target)).then(ready);
        }
      },
      { rootMargin: "100% 0px" },
    );
    for (const { place } of waiting) {
      // about its later height, so that what follows does not jump
      place.style.minHeight = "30rem";
      near.observe(place);
    }
    const here = views.filter(({ sources }) => !sources.length);
    if (here.length) Promise.all(here.map(mount)).then(ready);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
  else mountAll();
})();
