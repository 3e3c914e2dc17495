// On a wide screen the contents give their room to the text; on a narrow one pydata-sphinx-theme slides them in.
document.querySelector(".primary-toggle")?.addEventListener(
  "click",
  (event) => {
    if (!matchMedia("(min-width: 992px)").matches) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("pst-primary-sidebar").classList.toggle("pst-sidebar-hidden");
  },
  true,
);

// The bar above the text throws a shadow on what has slid under it.
{
  const top = document.querySelector(".sbt-scroll-pixel-helper");
  const watch = new IntersectionObserver(([{ isIntersecting }]) => document.body.classList.toggle("scrolled", !isIntersecting));
  if (top) watch.observe(top);
}
