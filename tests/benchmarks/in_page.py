"""Runs every cell of the book in its page, as a reader would, and compares what it prints with what the book prints.

The site is the copy with Python in its pages, made by `python book/in_page`. A row for each cell: seconds, and what
differs. With --write, what the cells need or cost goes into book/in_page/marks.json, which the pages show before a cell
is run. The cells of both editions are the same. With --start, nothing of that: how long a reader waits for the first
text, the first plot, the next one and a check, in a browser that has nothing yet, and what each part of it costs.
"""

import json
import re
import sys
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from tests.benchmarks import make_parser
from tests.benchmarks.lighthouse import serve
from tests.browser.conftest import ARGUMENTS
from tests.conftest import ROOT, find_chromium

sys.path.insert(0, str(ROOT / "book/in_page"))

from publish import MARKS, key_of

# a cell that takes longer on this machine says so before it is run: on one half as fast it takes twice as long
SLOW = 10
# seconds: more than the slowest cell takes on a busy machine
PATIENCE = 900
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
# of an open page: its cells, each with what a reader does and sees
CELLS = """void (window.cells = [...document.querySelectorAll("article .cell:not([data-check])")].flatMap((place) => {
  const button = place.querySelector(".run-bar button");
  const output = place.querySelector(":scope > .cell_output:not(.live)");
  if (!button) return [];
  const name = button.textContent;
  const text = (found) => [...found].map((part) => part.textContent).join("");
  const recorded = [...(output?.querySelectorAll("pre") ?? [])].filter((pre) => !pre.closest(".widget-stand-in"));
  return [{
    button,
    isReady: () => button.textContent === name,
    result: () => ({
      code: place.querySelector(".cell_input pre").textContent.trim(),
      recorded: text(recorded),
      said: text(place.querySelectorAll(".live .run-text")),
      error: text(place.querySelectorAll('.live [data-kind="error"]')).trim().split("\\n").at(-1),
      status: place.querySelector(".run-status").textContent,
    }),
  }];
}))"""

# what a reader waits for, the part of it, and the cell that brings it; the first one starts Python
PLOT = "display(plots.lines(np.arange(9.0), {'NPO': np.arange(9.0)}, x_label='step', y_label='$u$'))"
START = [
    ("first text", "Python", None),
    ("first text", "NumPy", "import numpy as np"),
    ("first text", "package", "from npo_tutorial import npo_loss, plots"),
    ("first text", "a line", "print(npo_loss(np.array([-2.0]), np.array([-1.0]), beta=1.0))"),
    ("first plot", "Matplotlib", "import matplotlib.figure"),
    ("first plot", "figure", PLOT),
    ("next plot", "figure", PLOT),
    ("check", "package", "from npo_tutorial import homework"),
    ("check", "answer", "homework.check_ga_loss(lambda logp: np.mean(logp))"),
    ("SciPy's core", "SciPy", "import scipy.special"),
    ("SciPy's rest", "SciPy", "import scipy.optimize, scipy.stats"),
    ("scikit-learn", "scikit-learn", "import sklearn.linear_model"),
]
TASK = """(task) => new Promise((resolve, reject) => {
  const files = {};
  let said = "";
  window.python ??= new Worker("../../python/worker.js");
  python.onmessage = ({ data }) => {
    if (data.kind === "loading") files[data.file] = data.bytes;
    else if (data.kind === "error") said += data.text;
    else if (data.kind === "failed") reject(new Error(data.text));
    else if (data.kind === "done") {
      const bytes = Object.values(files).reduce((sum, size) => sum + size, 0);
      resolve({ bytes, seconds: data.seconds, said });
    }
  };
  python.postMessage(task);
})"""


def same(recorded, said):
    """Whether two outputs have the same words, and numbers that agree to one unit of their last printed digit."""
    if " ".join(NUMBER.sub("#", recorded).split()) != " ".join(NUMBER.sub("#", said).split()):
        return False
    pairs = zip(NUMBER.findall(recorded), NUMBER.findall(said), strict=True)
    return all(abs(float(a) - float(b)) <= 1.01 * unit(a) for a, b in pairs)


def unit(number):
    digits, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def run_cells(evaluate, marked=False):
    """Press Run at every cell of an open page, in any browser: (seconds, error, whether the text is as recorded, all).

    `evaluate` takes an expression; `marked` cells are those that the page does not offer to run.
    """
    evaluate("document.querySelectorAll('article details').forEach((fold) => (fold.open = true))")
    evaluate(CELLS)
    for cell in (f"cells[{i}]" for i in range(evaluate("cells.length"))):
        if evaluate(f"{cell}.button.disabled"):
            if not marked:
                continue
            evaluate(f"void ({cell}.button.disabled = false)")
        evaluate(f"{cell}.button.click()")
        began = time.monotonic()
        while not evaluate(f"{cell}.isReady()"):
            if (waited := time.monotonic() - began) > PATIENCE:
                raise TimeoutError(f"{evaluate(f'{cell}.result()')['code'][:80]}: still running after {PATIENCE} s")
            # each question costs the page time, and a cell may run for minutes
            time.sleep(min(0.02 + waited / 20, 0.5))
        found = evaluate(f"{cell}.result()")
        seconds = re.search(r"([\d.]+) (?:s|秒)", found["status"])
        # a cell that has not run says so
        error = found["error"] or ("" if seconds else found["status"])
        yield float(seconds[1]) if seconds else 0.0, error, same(found["recorded"], found["said"]), found


def start(browser, address, runs):
    """Print a row for each part of what a reader waits for: bytes, and the median of its seconds."""
    found = []
    for _ in range(runs):
        page = browser.new_context().new_page()
        page.goto(f"{address}book/en/homework-losses.html")
        first = {"task": "start", "folder": f"{address}python/", "version": "", "language": "en"}
        tasks = [{"task": "run", "cell": "<cell 1>", "code": code} if code else first for *_, code in START]
        found.append([page.evaluate(TASK, task) for task in tasks])
        page.context.close()
    if errors := [row["said"] for row in found[0] if row["said"]]:
        raise SystemExit(errors[0])
    seconds = [median(row["seconds"] for row in rows) for rows in zip(*found, strict=True)]
    rows = [(*step[:2], row["bytes"], spent) for step, row, spent in zip(START, found[0], seconds, strict=True)]
    print(f"median of {runs} runs                MB        s   share")
    for whole in dict.fromkeys(name for name, *_ in rows):
        parts = [row for row in rows if row[0] == whole]
        n_bytes, spent = sum(row[2] for row in parts), sum(row[3] for row in parts)
        print(f"{whole:30} {n_bytes / 1e6:6.2f} {spent:8.2f}")
        for _, part, size, own in parts:
            print(f"    {part:26} {size / 1e6:6.2f} {own:8.2f} {own / spent:6.0%}")


def main():
    parser = make_parser("tests.benchmarks.in_page", __doc__)
    parser.add_argument("pages", nargs="*", help="such as book/en/npo.html (default: every English page with cells)")
    parser.add_argument("--site", type=Path, default=ROOT / "_build/published", help="default: _build/published")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of --start (default: 3)")
    options = parser.parse_args()
    if not (options.site / "python/parts.json").is_file():
        parser.error(f"{options.site} has no Python in its pages: run `python book/in_page` first")
    every = [path.relative_to(options.site).as_posix() for path in sorted(options.site.glob("book/en/*.html"))]
    chosen = options.pages or [page for page in every if "python/page.js" in (options.site / page).read_text("utf-8")]
    marks, address = json.loads(MARKS.read_text("utf-8")), serve(options.site)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        if options.start:
            return start(browser, address, options.runs)
        for name in chosen:
            page, own = browser.new_page(), Path(name).stem
            page.goto(address + name)
            found = {}
            for seconds, error, is_same, cell in run_cells(page.evaluate, marked=True):
                differs = "" if error or is_same else f"differs: {cell['said']!r}, recorded {cell['recorded']!r}"
                print(
                    f"{name:40} {seconds:7.1f} s  {cell['code'].splitlines()[0]:40.40} {error or differs}", flush=True
                )
                mark = {"needs": "torch"} if "torch" in error else {}
                if seconds > SLOW:
                    mark = {"seconds": 10 * round(seconds / 10)}
                if mark:
                    found[key_of(cell["code"])] = {"page": own} | mark
            marks = {key: mark for key, mark in marks.items() if mark["page"] != own} | found
            page.close()
        browser.close()
    if options.write:
        MARKS.write_text(json.dumps(marks, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
