// Fetches the comments of a page when its reader opens them, gives them the page's colours, and reports a failure.
for (const box of document.querySelectorAll("details.comments")) {
  const root = document.documentElement;
  // in the words of giscus
  const { host, ...settings } = JSON.parse(box.dataset.settings);
  const [waiting, failed, place] = [".comments-waiting", ".comments-failed", ".giscus"].map((name) => box.querySelector(name));
  // a blocked host often neither answers nor refuses
  const PATIENCE = 6000;
  let state = "closed";
  let timer;

  const say = (next) => {
    state = next;
    clearTimeout(timer);
    waiting.hidden = state !== "waiting";
    failed.hidden = state !== "failed";
  };
  // readers who leave the choice to their system get the configured theme
  const theme = () => (root.dataset.mode === "auto" ? settings.theme : root.dataset.theme);
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
    // a page opened as a file has no address that others could comment on
    if (location.protocol === "file:") return say("failed");
    remember();
    say("waiting");
    timer = setTimeout(say, PATIENCE, "failed");
    // giscus's script may run only once; after that, its frame can be loaded again
    const frame = place.querySelector("iframe");
    if (frame) return (frame.src = frame.src);
    const script = document.createElement("script");
    for (const [name, value] of Object.entries({ ...settings, theme: theme() })) script.setAttribute(`data-${name}`, value);
    Object.assign(script, { src: `${host}/client.js`, crossOrigin: "anonymous", onerror: () => say("failed") });
    box.append(script);
  };

  addEventListener("message", ({ origin, data }) => {
    if (origin !== host || !data?.giscus || state === "shown") return;
    say("shown");
    // the page's theme may have changed in the meantime
    dress();
  });
  new MutationObserver(dress).observe(root, { attributeFilter: ["data-mode", "data-theme"] });
  box.addEventListener("toggle", () => {
    if (box.open && (state === "closed" || state === "failed")) fetchComments();
  });
  // GitHub sends readers back with this after they sign in, but any link may have it: a click must have been recorded
  if (new URLSearchParams(location.search).has("giscus") && remembered() === location.pathname) box.open = true;
}
