// Two readers have all of a page laid out: who goes through it by keyboard, for Chromium may lose the focus in a block that
// it has yet to lay out; and who comes back to a page, for his place is to be found again. It is kept as a block and its
// distance from the upper edge, since the height of what lies above is not the same as before.
(() => {
  const layOut = () => document.documentElement.classList.add("laid-out");
  const blocks = () => [...document.querySelectorAll(".bd-article section > :not(section)")];
  addEventListener("keydown", ({ key }) => key === "Tab" && layOut(), true);

  const key = `place in ${location.pathname}`;
  try {
    // a browser may forbid storage, in private windows or for files, and then finds the place as well as it can
    sessionStorage.getItem(key);
  } catch {
    return;
  }
  history.scrollRestoration = "manual";
  addEventListener("pagehide", () => {
    const all = blocks();
    const index = scrollY ? all.findIndex((block) => block.getBoundingClientRect().bottom > 0) : -1;
    const top = all[index]?.getBoundingClientRect().top ?? 0;
    sessionStorage.setItem(key, JSON.stringify({ index, top }));
  });
  if (performance.getEntriesByType("navigation")[0]?.type === "navigate") return;
  const place = JSON.parse(sessionStorage.getItem(key));
  if (!place) return;
  layOut();
  // the second time for a browser that meanwhile has gone to the place in the address
  for (const event of ["DOMContentLoaded", "load"])
    addEventListener(event, () => {
      const top = blocks()[place.index]?.getBoundingClientRect().top;
      if (top !== undefined) scrollBy({ top: top - place.top, behavior: "instant" });
    });
})();
