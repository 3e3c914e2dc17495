// The bar above the text throws a shadow on what has slid under it.
{
  const top = document.querySelector(".sbt-scroll-pixel-helper");
  const watch = new IntersectionObserver(([{ isIntersecting }]) => document.body.classList.toggle("scrolled", !isIntersecting));
  if (top) watch.observe(top);
}
