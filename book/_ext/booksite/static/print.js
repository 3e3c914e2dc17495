// Paper is light, whatever the screen shows. What a reader has opened is printed; an entry of the menu prints everything.
{
  const page = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => {
    theme = page.dataset.theme;
    page.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    page.dataset.theme = theme;
  });

  const printer = document.querySelector(".btn-download-pdf-button");
  printer?.addEventListener("click", () => print());
  const entry = printer?.closest("li");
  const closed = () => document.querySelectorAll("details.admonition:not([open])");
  if (entry && closed().length) {
    const all = entry.cloneNode(true);
    entry.after(all);
    all.querySelector(".btn__text-container").textContent = document.querySelector(".page-footer").dataset.print;
    const button = all.querySelector("button");
    button.removeAttribute("title");
    button.onclick = () => {
      const boxes = closed();
      for (const box of boxes) box.open = true;
      // a phone may print after this call has returned
      addEventListener("afterprint", () => boxes.forEach((box) => (box.open = false)), { once: true });
      print();
    };
  }
}
