// A formula or a table wider than its column scrolls inside its box; only such boxes are focusable, so that arrows scroll them.
{
  const watch = new ResizeObserver((boxes) => {
    for (const { target: box } of boxes) box.scrollWidth > box.clientWidth ? (box.tabIndex = 0) : box.removeAttribute("tabindex");
  });
  for (const box of document.querySelectorAll(".math-scroll, .bd-article table")) watch.observe(box);
}
