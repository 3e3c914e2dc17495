// A text area for code: Tab and Shift-Tab indent, Enter keeps the indentation, Ctrl-Enter runs; Esc, then Tab leaves it.
(() => {
  "use strict";
  const STEP = 4;

  window.npoEditor = ({ label, changed, run }) => {
    const area = document.createElement("textarea");
    Object.assign(area, { className: "run-editor", spellcheck: false, autocapitalize: "off", autocomplete: "off" });
    area.setAttribute("autocorrect", "off");
    area.setAttribute("aria-label", label);
    area.fit = () => (area.rows = Math.max(2, area.value.split("\n").length));

    // an insertion, or with "" a deletion of what is selected, that the browser can undo
    let isOurs = false;
    function type(text) {
      isOurs = true;
      document.execCommand(text ? "insertText" : "delete", false, text);
      isOurs = false;
    }
    const startOfLine = () => area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const beforeCursor = () => area.value.slice(startOfLine(), area.selectionStart);

    function indent(isBack) {
      const { value, selectionStart, selectionEnd } = area;
      const isPoint = selectionStart === selectionEnd;
      if (isPoint && !isBack) return type(" ".repeat(STEP - (beforeCursor().length % STEP)));
      const from = startOfLine();
      const end = value.indexOf("\n", isPoint ? selectionEnd : selectionEnd - 1);
      const lines = value.slice(from, end < 0 ? value.length : end);
      const moved = isBack ? lines.replace(/^ {1,4}/gm, "") : lines.replace(/^(?=.)/gm, " ".repeat(STEP));
      if (moved === lines) return;
      area.setSelectionRange(from, from + lines.length);
      type(moved);
      const cursor = Math.max(from, selectionStart + moved.length - lines.length);
      area.setSelectionRange(isPoint ? cursor : from, isPoint ? cursor : from + moved.length);
    }

    let leaves = false;
    area.addEventListener("keydown", (event) => {
      const { key, shiftKey, ctrlKey, altKey, metaKey } = event;
      if (event.isComposing) return;
      if (key === "Tab" && !(leaves || ctrlKey || altKey || metaKey)) {
        event.preventDefault();
        indent(shiftKey);
      } else if (key === "Enter" && (ctrlKey || metaKey || shiftKey)) {
        event.preventDefault();
        run();
      }
      leaves = key === "Escape" || (leaves && key === "Shift");
    });
    area.addEventListener("blur", () => (leaves = false));

    // Not at a key press: the Enter that ends the writing of a Chinese word breaks no line, and phones do not name keys.
    area.addEventListener("beforeinput", (event) => {
      if (isOurs || event.isComposing) return;
      const line = beforeCursor();
      if (event.inputType === "insertLineBreak") {
        event.preventDefault();
        type(`\n${line.match(/^ */)[0]}${/:\s*(#.*)?$/.test(line) ? " ".repeat(STEP) : ""}`);
      } else if (event.inputType === "deleteContentBackward" && /^ {2,}$/.test(line) && area.selectionStart === area.selectionEnd) {
        event.preventDefault();
        area.setSelectionRange(area.selectionStart - (line.length % STEP || STEP), area.selectionStart);
        type("");
      }
    });
    area.addEventListener("input", () => {
      area.fit();
      changed();
    });
    return area;
  };
})();
