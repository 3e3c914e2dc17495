// On a wide screen the contents give their room to the text; on a narrow one pydata-sphinx-theme slides them in.
document.querySelector(".primary-toggle")?.addEventListener(
  "click",
  (event) => {
    if (!matchMedia("(min-width: 992px)").matches) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("pst-primary-sidebar").classList.toggle("pst-sidebar-hidden");
  },
  true,
);
