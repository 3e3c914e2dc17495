"use strict";
(() => {
  const root = document.documentElement;
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const [stage, plane, panel] = [".stage", ".plane", "#panel"].map($);
  const framed = root.classList.contains("framed");

  // The language, by the key of its edition
  const editions = Object.fromEntries(all(".edition").map((button) => [button.dataset.edition, button]));
  const speak = (key) => {
    root.lang = editions[key].lang;
    document.title = editions[key].dataset.title;
    for (const [other, button] of Object.entries(editions)) button.setAttribute("aria-pressed", other === key);
    draw();
  };

  // The graph. Positions are in pixels of the plane, which is moved and scaled as a whole.
  const nodes = Object.fromEntries(all(".node").map((button) => [button.dataset.concept, { button }]));
  const edges = all(".edge").map((g) => ({ g, path: g.firstElementChild, text: g.lastElementChild, start: nodes[g.dataset.start], end: nodes[g.dataset.end] }));
  let view = { x: 0, y: 0, scale: 1 };
  let untouched = true;

  const restore = () => {
    for (const node of Object.values(nodes)) [node.x, node.y] = node.button.dataset.at.split(" ").map(Number);
  };
  const put = (node, x, y) => {
    Object.assign(node, { x, y });
    node.button.style.left = `${x - node.button.offsetWidth / 2}px`;
    node.button.style.top = `${y - node.button.offsetHeight / 2}px`;
  };
  const leave = (from, to, gap) => {
    // where the line between two centres leaves the first box
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const s = 1 / Math.max(Math.abs(dx) / (from.button.offsetWidth / 2 + gap), Math.abs(dy) / (from.button.offsetHeight / 2 + gap), 1e-9);
    return [from.x + dx * s, from.y + dy * s];
  };
  const draw = () => {
    for (const node of Object.values(nodes)) put(node, node.x, node.y);
    for (const { path, text, start, end } of edges) {
      const [[x0, y0], [x1, y1]] = [leave(start, end, 2), leave(end, start, 4)];
      path.setAttribute("d", `M${x0} ${y0}L${x1} ${y1}`);
      for (const tspan of text.children) {
        tspan.setAttribute("x", (x0 + x1) / 2);
        tspan.setAttribute("y", (y0 + y1) / 2);
      }
    }
  };
  const show = (next, glide) => {
    view = next;
    plane.classList.toggle("glide", Boolean(glide));
    plane.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  };
  const home = () => {
    const [w, h] = [plane.offsetWidth, plane.offsetHeight];
    const whole = Math.min(stage.clientWidth / w, stage.clientHeight / h, 1.4);
    // names that can be read, even where the whole map does not fit
    const scale = whole < 0.65 ? 0.8 : whole;
    return { scale, x: (stage.clientWidth - w * scale) / 2, y: (stage.clientHeight - h * scale) / 2 };
  };
  const zoom = (factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2, glide = true) => {
    untouched = false;
    const scale = Math.min(Math.max(view.scale * factor, 0.3), 4);
    const grown = scale / view.scale;
    show({ scale, x: x - (x - view.x) * grown, y: y - (y - view.y) * grown }, glide);
  };
  const uncover = ({ button }) => {
    // move the plane just far enough to show a node, next to the panel if that covers part of the map
    const [box, node, cover] = [stage, button, panel].map((element) => element.getBoundingClientRect());
    const over = root.dataset.panel !== undefined && narrow.matches;
    const right = over && !small.matches ? cover.left : box.right;
    const bottom = over && small.matches ? cover.top : box.bottom;
    const shift = (low, high, from, to) => Math.max(from + 12 - low, 0) || Math.min(to - 12 - high, 0);
    const [x, y] = [shift(node.left, node.right, box.left, right), shift(node.top, node.bottom, box.top, bottom)];
    if (x || y) show({ ...view, x: view.x + x, y: view.y + y }, true);
  };

  // Views, panel, choice
  let chosen = null;
  let picked = null;
  const set = (name) => {
    root.dataset.view = name;
    for (const button of all("[data-do=map], [data-do=list]")) button.setAttribute("aria-pressed", button.dataset.do === name);
    if (name === "map") settle();
  };
  const settle = () => {
    draw();
    if (!untouched) return;
    show(home());
    if (chosen) uncover(nodes[chosen]);
  };
  const open = (isOpen) => {
    isOpen ? (root.dataset.panel = "") : delete root.dataset.panel;
    $(".tools [data-do=panel]").setAttribute("aria-pressed", isOpen);
    settle();
  };
  const light = (key) => {
    for (const { g } of edges) g.classList.toggle("on", key !== null && [g.dataset.start, g.dataset.end].includes(key));
  };
  const choose = (key) => {
    chosen = key;
    for (const [other, { button }] of Object.entries(nodes)) {
      button.setAttribute("aria-expanded", other === key);
      const section = document.getElementById(other);
      section.classList.toggle("chosen", other === key);
      // its demo, and no other, is open
      for (const demo of section.querySelectorAll(".demo")) demo.open = other === key;
    }
    light(key);
    if (key === null) return;
    history.replaceState(null, "", `#${key}`);
    if (root.dataset.view === "map") {
      open(true);
      panel.scrollTop = 0;
      uncover(nodes[key]);
    }
    const heading = document.getElementById(key).querySelector("h3");
    heading.focus({ preventScroll: root.dataset.view === "map" });
  };
  const reset = () => {
    restore();
    untouched = true;
    choose(null);
    history.replaceState(null, "", location.pathname + location.search);
    open(!narrow.matches);
  };
  const close = () => {
    const back = nodes[chosen]?.button ?? $(".tools [data-do=panel]");
    open(false);
    choose(null);
    back.focus();
  };
  const actions = {
    map: () => set((picked = "map")),
    list: () => set((picked = "list")),
    in: () => zoom(1.25),
    out: () => zoom(0.8),
    panel: () => (root.dataset.panel === undefined ? open(true) : close()),
    reset,
  };

  // Pointers: one moves a node or the plane, two zoom
  const held = new Map();
  let grip = null;
  let moved = false;
  let wheels = !framed;
  const spread = () => {
    const [a, b] = [...held.values()];
    const box = stage.getBoundingClientRect();
    return { size: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2 - box.left, y: (a.y + b.y) / 2 - box.top };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!held.size) moved = false;
    wheels = true;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    grip = nodes[event.target.closest(".node")?.dataset.concept] ?? null;
  });
  stage.addEventListener("pointermove", (event) => {
    const last = held.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    // small movements still count as a click
    if (!moved && Math.hypot(dx, dy) < 5) return;
    if (!moved) stage.setPointerCapture(event.pointerId);
    moved = true;
    stage.classList.add("moving");
    const before = held.size === 2 && spread();
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (before) {
      const now = spread();
      zoom(now.size / before.size, now.x, now.y, false);
    } else if (grip) {
      put(grip, grip.x + dx / view.scale, grip.y + dy / view.scale);
      draw();
    } else {
      untouched = false;
      show({ ...view, x: view.x + dx, y: view.y + dy });
    }
  });
  for (const end of ["pointerup", "pointercancel"])
    stage.addEventListener(end, (event) => {
      held.delete(event.pointerId);
      stage.classList.remove("moving");
    });
  // in a frame the wheel scrolls the page around it until the reader has pressed on the map
  stage.addEventListener("pointerleave", () => (wheels = !framed));
  stage.addEventListener("wheel", (event) => {
    if (!wheels && !event.ctrlKey) return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    const lines = event.deltaMode ? 16 : 1;
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY * lines)) / 300), event.clientX - box.left, event.clientY - box.top, false);
  }, { passive: false });

  addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at(".node")) {
      if (!moved || !event.detail) choose(at(".node").dataset.concept);
    } else if (at("[data-do]")) actions[at("[data-do]").dataset.do]();
    else if (at(".edition")) {
      speak(at(".edition").dataset.edition);
      try { localStorage.setItem("edition", at(".edition").dataset.edition); } catch {}
    } else if (at(".relations a")) {
      event.preventDefault();
      choose(at("a").hash.slice(1));
    }
  });

  // Keys: arrows select the nearest concept on that side; with Shift they move the concept
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const neighbour = (from, [ax, ay]) => {
    const far = ({ x, y }) => {
      const [dx, dy] = [x - from.x, y - from.y];
      const along = dx * ax + dy * ay;
      return along > 1 ? along + 2 * Math.abs(dx * ay + dy * ax) : Infinity;
    };
    const best = Object.values(nodes).reduce((a, b) => (far(b) < far(a) ? b : a));
    return far(best) < Infinity ? best : from;
  };
  addEventListener("keydown", (event) => {
    if (root.dataset.view !== "map" || event.ctrlKey || event.metaKey || event.altKey) return;
    const node = nodes[event.target.closest?.(".node")?.dataset.concept];
    const way = node && arrows[event.key];
    if (way && event.shiftKey) {
      put(node, node.x + 10 * way[0], node.y + 10 * way[1]);
      draw();
    } else if (way) neighbour(node, way).button.focus({ preventScroll: true });
    else if (event.target.closest?.(".demo")) return;
    else if ("+=".includes(event.key)) zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "Escape" && root.dataset.panel !== undefined) close();
    else return;
    event.preventDefault();
  });
  stage.addEventListener("focusin", (event) => {
    const node = nodes[event.target.dataset.concept];
    if (!node) return;
    // the browser would scroll the stage, which moves by itself
    stage.scrollTo(0, 0);
    if (event.target.matches(":focus-visible")) uncover(node);
  });
  for (const [on, off] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    stage.addEventListener(on, ({ target }) => light(target.closest(".node")?.dataset.concept ?? chosen));
    stage.addEventListener(off, () => light(chosen));
  }

  // keys are plain letters, so an address that needs decoding names no concept
  const first = location.hash.slice(1);
  restore();
  speak(Object.keys(editions).find((key) => editions[key].lang === root.lang));
  reset();
  const suit = () => set(picked ?? (small.matches ? "list" : "map"));
  suit();
  small.addEventListener("change", suit);
  if (Object.hasOwn(nodes, first)) choose(first);
  new ResizeObserver(settle).observe(stage);
})();
