// Two kinds of readers get the whole page laid out. For keyboard users Chromium may lose the focus in a block that is not
// laid out yet. For returning readers their place must be found again; it is stored as a block and its distance from the
// upper edge, because the height of the text above may have changed.
(() => {
  const layOut = () => document.documentElement.classList.add("laid-out");
  const blocks = () => [...document.querySelectorAll(".bd-article section > :not(section)")];
  addEventListener("keydown", ({ key }) => key === "Tab" && layOut(), true);

  const key = `place in ${location.pathname}`;
  try {
    // a browser may forbid storage, in private windows or for files, and then restores the place as well as it can
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
  // the second time for browsers that have gone to the place in the address in the meantime
  for (const event of ["DOMContentLoaded", "load"])
    addEventListener(event, () => {
      const top = blocks()[place.index]?.getBoundingClientRect().top;
      if (top !== undefined) scrollBy({ top: top - place.top, behavior: "instant" });
    });
})();
