"use strict";
// Slides to vote on: of each question first the question, then its answers, then which is right and why. The address
// names the question (#npo-3), or a chapter (#npo), so that a slide or a lecture plan can lead here.
addEventListener("DOMContentLoaded", () => {
  const $ = (selector) => document.querySelector(selector);
  const deck = $(".deck"), boxes = [...document.querySelectorAll(".quick")];
  const [select, back, next, full, status] = ["select", ".back", ".next", ".full", "[role=status]"].map($);
  const words = JSON.parse(next.dataset.words), LAST = words.length - 1;
  // letters in pixels: from the largest that fits to the smallest that can be read at the back
  const LARGEST = 44, SMALLEST = 18;
  let at = 0, stage = 0;

  const open = (box, isOpen) => { for (const option of box.querySelectorAll("details")) option.open = isOpen; };

  // of one size at all stages, so that nothing moves when the answers appear
  function fit(box) {
    deck.dataset.stage = LAST;
    open(box, true);
    for (let size = LARGEST; size >= SMALLEST; size -= 2) {
      deck.style.setProperty("--size", `${size}px`);
      if (document.documentElement.scrollHeight <= innerHeight) break;
    }
  }

  function show() {
    const box = boxes[at], part = box.closest("section"), among = [...part.querySelectorAll(".quick")];
    for (const each of boxes) each.classList.toggle("away", each !== box);
    for (const each of document.querySelectorAll("section")) each.classList.toggle("away", each !== part);
    select.value = part.dataset.chapter;
    const facts = { chapter: select.selectedOptions[0].text, number: among.indexOf(box) + 1, count: among.length };
    status.textContent = status.dataset.place.replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
    next.textContent = words[stage];
    back.disabled = at === 0 && stage === 0;
    next.disabled = at === boxes.length - 1 && stage === LAST;
    fit(box);
    deck.dataset.stage = stage;
    open(box, stage === LAST);
    // without an entry in the history for each question
    history.replaceState(null, "", `#${box.id}`);
  }

  function move(by) {
    const place = at * words.length + stage + by;
    if (place < 0 || place >= boxes.length * words.length) return;
    [at, stage] = [Math.floor(place / words.length), place % words.length];
    show();
  }

  function go(name) {
    const found = boxes.findIndex((box) => box.id === name || box.closest("section").dataset.chapter === name);
    [at, stage] = [Math.max(found, 0), 0];
    show();
  }

  const KEYS = { " ": 1, ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
  addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey } = event;
    // a button, an answer and a list have some of these keys for themselves
    if (!(key in KEYS) || altKey || ctrlKey || metaKey || target.closest("select, a") || (key === " " && target.closest("button, summary"))) return;
    event.preventDefault();
    move(KEYS[key]);
  });
  back.addEventListener("click", () => move(-1));
  next.addEventListener("click", () => move(1));
  full.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
  full.hidden = !document.fullscreenEnabled;
  select.addEventListener("change", () => {
    go(select.value);
    // the arrow keys belong to the slides again
    next.focus();
  });
  addEventListener("hashchange", () => go(location.hash.slice(1)));
  addEventListener("resize", show);
  // paper has every question without its answer, for an exam on paper
  addEventListener("beforeprint", () => open(boxes[at], false));
  addEventListener("afterprint", show);

  for (const part of document.querySelectorAll(".controls, .lead")) part.hidden = false;
  deck.classList.add("one");
  go(location.hash.slice(1));
});
