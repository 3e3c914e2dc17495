// Fetches the comments of a page when its reader opens them, dresses them like the page, and says so when they do not come.
for (const box of document.querySelectorAll("details.comments")) {
  const root = document.documentElement;
  const { host } = box.dataset;
  const attributes = JSON.parse(box.dataset.attributes);
  const [waiting, failed, place] = [".comments-waiting", ".comments-failed", ".giscus"].map((name) => box.querySelector(name));
  // a host that is blocked often neither answers nor refuses
  const PATIENCE = 6000;
  let state = "closed";
  let timer;

  const say = (next) => {
    state = next;
    clearTimeout(timer);
    waiting.hidden = state !== "waiting";
    failed.hidden = state !== "failed";
  };
  // a reader who leaves the choice to his system leaves it to the setting as well
  const theme = () => (root.dataset.mode === "auto" ? attributes["data-theme"] : root.dataset.theme);
  const dress = () => {
    const frame = place.querySelector("iframe");
    if (state === "shown") frame?.contentWindow.postMessage({ giscus: { setConfig: { theme: theme() } } }, host);
  };
  // the page whose comments were opened last in this tab; a browser may forbid storage
  const remembered = () => {
    try { return sessionStorage.getItem("comments"); } catch { return null; }
  };
  const remember = () => {
    try { sessionStorage.setItem("comments", location.pathname); } catch {}
  };
  const fetchComments = () => {
    // a page that was opened as a file has no address that others could comment on
    if (location.protocol === "file:") return say("failed");
    remember();
    say("waiting");
    timer = setTimeout(say, PATIENCE, "failed");
    // giscus's script may run once only; where it did, its frame can be asked for again
    const frame = place.querySelector("iframe");
    if (frame) return (frame.src = frame.src);
    const script = document.createElement("script");
    for (const [name, value] of Object.entries({ ...attributes, "data-theme": theme() })) script.setAttribute(name, value);
    Object.assign(script, { src: `${host}/client.js`, crossOrigin: "anonymous", onerror: () => say("failed") });
    box.append(script);
  };

  addEventListener("message", ({ origin, data }) => {
    if (origin !== host || !data?.giscus || state === "shown") return;
    say("shown");
    // the page may have changed its clothes meanwhile
    dress();
  });
  new MutationObserver(dress).observe(root, { attributeFilter: ["data-mode", "data-theme"] });
  box.addEventListener("toggle", () => {
    if (box.open && (state === "closed" || state === "failed")) fetchComments();
  });
  // a reader who signs in at GitHub is sent back with this, but any link may have it: the click must be on record
  if (new URLSearchParams(location.search).has("giscus") && remembered() === location.pathname) box.open = true;
}
