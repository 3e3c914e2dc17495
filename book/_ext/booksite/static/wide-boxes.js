// A formula or a table wider than its column scrolls inside its box; only then does it stop the keyboard, so that arrows move it.
{
  const watch = new ResizeObserver((boxes) => {
    for (const { target: box } of boxes) box.scrollWidth > box.clientWidth ? (box.tabIndex = 0) : box.removeAttribute("tabindex");
  });
  for (const box of document.querySelectorAll(".math-scroll, .bd-article table")) watch.observe(box);
}
