// A formula or a table wider than its column scrolls inside its box; only such boxes are focusable, so that arrows scroll them.
{
  const watch = new ResizeObserver((boxes) => {
    for (const { target: box } of boxes) box.scrollWidth > box.clientWidth ? (box.tabIndex = 0) : box.removeAttribute("tabindex");
  });
  for (const box of document.querySelectorAll(".math-scroll, .bd-article table")) watch.observe(box);
}
// On a phone a wide table is read as cards, one for each row: here every cell learns the name of its column. The roles are for
// browsers that call a table a table only as long as it is laid out as one.
{
  const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TH: "columnheader", TD: "cell" };
  const phone = matchMedia("(max-width: 480px)");
  const make = () => {
    for (const table of phone.matches ? document.querySelectorAll("table.cards:not([role])") : []) {
      for (const part of [table, ...table.querySelectorAll("thead, tbody, tr, th, td")]) part.setAttribute("role", roles[part.tagName]);
      for (const cell of table.querySelectorAll("td:not(:first-child)")) {
        const name = document.createElement("div");
        name.className = "column-name";
        name.ariaHidden = true;
        name.append(...table.rows[0].cells[cell.cellIndex].cloneNode(true).childNodes);
        if (cell.textContent.trim()) cell.prepend(name);
      }
    }
  };
  make();
  phone.addEventListener("change", make);
}
