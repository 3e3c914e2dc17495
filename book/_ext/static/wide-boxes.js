// A formula or a table wider than its column scrolls inside its box; only then does it stop the keyboard, so that arrows move it.
{
  const check = ({ target: box }) => (box.scrollWidth > box.clientWidth ? (box.tabIndex = 0) : box.removeAttribute("tabindex"));
  const watch = new ResizeObserver((boxes) => boxes.forEach(check));
  for (const box of document.querySelectorAll(".math-scroll, .bd-article table")) {
    watch.observe(box);
    // what was far away had no width until now
    box.addEventListener("contentvisibilityautostatechange", check);
  }
}
