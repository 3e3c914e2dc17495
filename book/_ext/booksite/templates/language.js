// Remembers readers' edition, sends them back to it from the front page, and keeps their place when they switch.
(() => {
  const { edition, homes } = document.currentScript.dataset;
  let last = null;
  try {
    // a browser may forbid storage, in private windows or for files
    if (edition) localStorage.setItem("edition", edition);
    else last = localStorage.getItem("edition");
  } catch {}
  const home = homes && new Map(Object.entries(JSON.parse(homes))).get(last);
  if (home && !location.hash) location.replace(home);

  // labels are the same in every edition but for its prefix: #en-sec-npo, #equation-zh-eq-npo
  const keepPlace = () => {
    for (const link of document.querySelectorAll("a.edition-switch"))
      link.hash = location.hash.replace(new RegExp(`^(#(?:equation-)?)${edition}-`), `$1${link.dataset.edition}-`);
  };
  if (edition) for (const event of ["DOMContentLoaded", "hashchange"]) addEventListener(event, keepPlace);
})();
