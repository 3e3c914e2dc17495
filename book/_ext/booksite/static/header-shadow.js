// The bar above the text casts a shadow on text that has scrolled under it.
{
  const top = document.querySelector(".sbt-scroll-pixel-helper");
  const watch = new IntersectionObserver(([{ isIntersecting }]) => document.body.classList.toggle("scrolled", !isIntersecting));
  if (top) watch.observe(top);
}
