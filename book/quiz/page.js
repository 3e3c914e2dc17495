"use strict";
// One question at a time. A browser remembers under KEY which questions were answered right (true) and which are to be
// asked again (false); both editions give a question the same name.
{
  const KEY = "quiz";

  addEventListener("DOMContentLoaded", () => {
    const $ = (selector) => document.querySelector(selector);
    const boxes = [...document.querySelectorAll(".quick")];
    const [select, next, restart, status] = ["select", ".next", ".restart", "[role=status]"].map($);
    let memory = {}, queue = [], answered = false;
    // a browser may forbid storage, in private windows or for files
    try { memory = Object.assign({}, JSON.parse(localStorage.getItem(KEY))); } catch {}
    const save = () => { try { localStorage.setItem(KEY, JSON.stringify(memory)); } catch {} };
    const chosen = () => boxes.filter((box) => !select.value || box.closest("section").dataset.chapter === select.value);

    const tell = () => {
      const all = chosen(), left = all.filter((box) => memory[box.id] !== true).length;
      const words = left ? status.dataset.left : status.dataset.done;
      status.textContent = words.replaceAll("{left}", left).replaceAll("{count}", all.length);
    };
    const show = () => {
      answered = false;
      next.disabled = true;
      for (const box of boxes) box.classList.toggle("away", box !== queue[0]);
      for (const part of document.querySelectorAll("section")) part.classList.toggle("away", !part.contains(queue[0] ?? null));
      for (const option of queue[0]?.querySelectorAll("details") ?? []) option.open = false;
      tell();
    };
    const start = () => {
      const open = chosen().filter((box) => memory[box.id] !== true);
      // what was wrong the last time comes first
      queue = [...open.filter((box) => box.id in memory), ...open.filter((box) => !(box.id in memory))];
      show();
    };

    // such events do not bubble
    document.addEventListener("toggle", ({ target }) => {
      if (answered || !target.open || !queue[0]?.contains(target)) return;
      answered = true;
      memory[queue[0].id] = target.classList.contains("right");
      if (!memory[queue[0].id]) queue.push(queue[0]);
      next.disabled = queue.length === 1;
      save();
      tell();
    }, true);
    next.addEventListener("click", () => {
      queue.shift();
      show();
      queue[0].querySelector("summary").focus();
    });
    restart.addEventListener("click", () => {
      for (const box of chosen()) delete memory[box.id];
      save();
      start();
    });
    select.addEventListener("change", start);
    for (const controls of document.querySelectorAll(".controls")) controls.hidden = false;
    start();
  });
}
