// Whoever goes through a page by keyboard has all of it laid out: Chromium may lose the focus in a block that it has yet to lay out.
addEventListener("keydown", ({ key }) => key === "Tab" && document.documentElement.classList.add("laid-out"), true);
