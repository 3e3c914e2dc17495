"use strict";
// Settings that affect the layout are applied before anything is drawn, so that nothing moves while a reader watches.
// The script at the end has these two as well.
const [narrow, small] = ["(max-width: 959px)", "(max-width: 599px)"].map((query) => matchMedia(query));
{
  const root = document.documentElement;
  const framed = window !== top;
  root.classList.toggle("framed", framed);
  const stored = (name) => {
    // a browser may forbid storage, in private windows or for files
    try { return localStorage.getItem(name); } catch { return null; }
  };

  // Language: that of the address, or else the edition read last, or else the browser's
  const tags = JSON.parse(root.dataset.editions);
  const asked = [new URLSearchParams(location.search).get("lang"), location.hash.slice(1), stored("edition"), ...navigator.languages];
  // an address may say "constructor", which is in every object
  root.lang = tags[asked.map((name) => name?.split("-")[0]).find((name) => Object.hasOwn(tags, name)) ?? root.dataset.default];

  // Colours: those of an accessible page around this one, or else those chosen on the site
  const dress = (theme) => (/^(light|dark)$/.test(theme) ? (root.dataset.theme = theme) : delete root.dataset.theme);
  try {
    const outer = framed && parent.document.documentElement;
    const follow = () => dress(outer ? outer.dataset.theme : stored("mode"));
    if (outer) new MutationObserver(follow).observe(outer, { attributeFilter: ["data-theme"] });
    follow();
  } catch {}

  // View: set as by the script at the end, which also draws the graph
  root.dataset.view = small.matches ? "list" : "map";
  if (!narrow.matches) root.dataset.panel = "";
}
