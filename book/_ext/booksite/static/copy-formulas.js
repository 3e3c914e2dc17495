// A copied formula is its TeX. What else is copied with it is the text as it looks: no marks of links, no closed folds.
addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection.rangeCount) return;
  const range = selection.getRangeAt(0).cloneRange();
  // half a formula has no TeX
  const [first, last] = [range.startContainer, range.endContainer].map((node) => {
    const element = node.closest ? node : node.parentElement;
    return element.closest(".katex-display") ?? element.closest(".katex");
  });
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copied = document.createElement("div");
  copied.append(range.cloneContents());
  const formulas = copied.querySelectorAll(".katex");
  if (!formulas.length) return;
  for (const shown of formulas) {
    const tex = shown.querySelector("annotation").textContent.trim();
    const display = shown.closest(".katex-display");
    (display ?? shown).replaceWith(display ? `$$${tex}$$` : `$${tex}$`);
  }
  for (const mark of copied.querySelectorAll(".headerlink, script")) mark.remove();
  // a browser knows the lines of what it has laid out: here out of sight
  copied.className = "copied";
  document.querySelector(".bd-article").append(copied);
  const { innerText, innerHTML } = copied;
  copied.remove();
  event.clipboardData.setData("text/plain", innerText);
  event.clipboardData.setData("text/html", innerHTML);
  event.preventDefault();
});
