// A sidebar of a phone gives the focus back to its button, from which the theme takes it before the sidebar can remember.
for (const side of ["primary", "secondary"]) {
  const button = document.querySelector(`.${side}-toggle`);
  document.getElementById(`pst-${side}-sidebar-modal`)?.addEventListener("close", () => button?.focus({ preventScroll: true }));
}
