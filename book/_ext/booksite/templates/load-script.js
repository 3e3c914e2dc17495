addEventListener("DOMContentLoaded", () => {
  const load = () => document.head.append(Object.assign(document.createElement("script"), { src: "%s" }));
  // returning readers have it cached; load at once so that their scroll position can be restored
  const [{ type } = {}] = performance.getEntriesByType("navigation");
  if (type !== "navigate" || !PerformanceObserver.supportedEntryTypes.includes("paint")) return load();
  const seen = new PerformanceObserver(() => {
    seen.disconnect();
    load();
  });
  seen.observe({ type: "paint", buffered: true });
});
