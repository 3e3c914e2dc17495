"use strict";
// Shows the sheets of a page as slides, one at a time. On a narrow screen, such as a phone held upright, the page stays as
// it is, one sheet below the other, to be read; so it does without scripts.
{
  const { notes, previous, next } = document.currentScript.dataset;
  const isPrinted = new URLSearchParams(location.search).has("print-pdf");
  const deck = document.querySelector(".deck"), sheets = document.querySelector(".sheets");
  const isWide = matchMedia("(min-width: 600px)");

  // the colours chosen on the site, or else those of the system; paper is light
  let mode = null;
  // a browser may forbid storage, in private windows or for files
  try { mode = localStorage.getItem("mode"); } catch {}
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dress = () => {
    const dark = !isPrinted && (mode === "dark" || (mode !== "light" && system.matches));
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  system.addEventListener("change", dress);
  dress();

  // the largest letters with which a slide fits; fonts differ from system to system
  const fit = (section) => {
    const body = section?.querySelector(".what");
    // a demo draws itself again when its size changes, so its size is fixed
    if (!body || body.matches(".shows-demo")) return;
    // formulas stick out of their lines a little
    const isTooLarge = () => [body, ...body.querySelectorAll(".shown, .lines, .math-scroll, pre, table")].some((box) =>
      box.scrollWidth > box.clientWidth + 1 || (box.matches(".what, .shown, .lines") && box.scrollHeight > box.clientHeight + 8));
    // beside a picture, larger letters would take its room
    const largest = body.matches(".shows-fig") ? 1 : 1.2;
    body.style.setProperty("--scale", largest);
    for (let scale = body.dataset.scale = largest; scale > 0.4 && isTooLarge(); ) {
      body.dataset.scale = scale = Math.round(scale * 100 - 4) / 100;
      body.style.setProperty("--scale", scale);
    }
  };

  const present = () => {
    deck.classList.add("reveal");
    sheets.classList.add("slides");
    let opened = null;
    const inDemo = () => Boolean(document.activeElement?.closest(".npo-explorer, details"));
    const follow = () => {
      // its hash cannot be set if it was opened from a disk
      if (opened && !opened.closed) opened.location.href = `${new URL(notes, location)}#${Reveal.getIndices().h + 1}`;
    };
    addEventListener("keydown", (event) => {
      if (!inDemo() || !["Escape", "PageDown", "PageUp"].includes(event.key)) return;
      // a clicker always turns the page
      document.activeElement.blur();
      if (event.key === "Escape") event.stopImmediatePropagation();
    }, true);
    Reveal.on("slidechanged", ({ currentSlide }) => { fit(currentSlide); follow(); });
    Reveal.on("pdf-ready", () => sheets.querySelectorAll("section").forEach(fit));
    Reveal.initialize({
      width: 1280, height: 720, margin: 0.02, center: false, transition: "none", backgroundTransition: "none",
      hash: true, hashOneBasedIndex: true, slideNumber: "c/t", scrollActivationWidth: 0, pdfMaxPagesPerSlide: 1,
      keyboardCondition: () => !inDemo(),
      keyboard: { 83: () => { opened = open(notes, "notes"); follow(); } },
    }).then(() => {
      for (const button of document.querySelectorAll(".navigate-left, .navigate-up")) button.ariaLabel = previous;
      for (const button of document.querySelectorAll(".navigate-right, .navigate-down")) button.ariaLabel = next;
      fit(Reveal.getCurrentSlide());
    });
  };

  if (isWide.matches || isPrinted) present();
  isWide.addEventListener("change", () => isPrinted || location.reload());
}
