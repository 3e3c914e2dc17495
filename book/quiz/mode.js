"use strict";
// Before anything is drawn: the colours chosen on the site, or else those of the system.
{
  let mode;
  // a browser may forbid storage, in private windows or for files
  try { mode = localStorage.getItem("mode"); } catch {}
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dress = () => {
    const dark = mode === "dark" || (mode !== "light" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  system.addEventListener("change", dress);
  dress();
}
