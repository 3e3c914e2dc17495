// On a wide screen the sidebar can be closed to make room for the text; on a narrow one pydata-sphinx-theme slides it in.
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
