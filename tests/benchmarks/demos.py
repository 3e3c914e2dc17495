"""What the demos weigh and cost, next to their budgets: bytes of the built site, times in Chromium, some throttled."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from npo_tutorial import demos
from npo_tutorial.explore import save_html
from tests.benchmarks import make_parser
from tests.book.pages import CHAPTERS
from tests.browser.conftest import ARGUMENTS
from tests.browser.demos import demos_of, states
from tests.browser.weight import weight
from tests.conftest import ROOT, find_chromium

FRAME = 1000 / 60
THROTTLES = {1: 2, 4: 8}
# for each step of a drag: how long our script took, and how long the frame that drew it lasted
RECORD = """() => {
  window.steps_ = [];
  window.frames_ = [];
  let start, moved = false, shown = false, last = 0;
  document.addEventListener("input", () => { start = performance.now(); }, true);
  document.addEventListener("input", () => { steps_.push(performance.now() - start); moved = true; });
  requestAnimationFrame(function tick(now) {
    if (shown) frames_.push(now - last);
    [last, shown, moved] = [now, moved, false];
    requestAnimationFrame(tick);
  });
}"""
DRAWN = """() => requestAnimationFrame(function tick() {
  if (document.querySelectorAll(".npo-chart[viewBox]").length < 10) return requestAnimationFrame(tick);
  const start = performance.getEntriesByType("navigation")[0].domContentLoadedEventStart;
  window.drawn_ = performance.now() - start;
})"""


def row(what, measured, budget, unit, reached):
    print(f"{what:44}{measured:>24}{budget:>10} {unit:6}{'reached' if reached else 'NOT REACHED'}")


def weights(site):
    scripts = sum(weight(ROOT / f"npo_tutorial/explore/{file}") for file in ("explorer.js", "mount.js"))
    row("scripts, gzip", scripts, 15_000, "B", scripts <= 15_000)
    for name in CHAPTERS:
        for demo, files in zip(demos_of(name), states(site, "en", name), strict=True):
            total = sum(map(weight, files))
            row(f"{demo}: state, gzip", total, 40_000, "B", total <= 40_000)


def drag(page):
    """Drag every slider from end to end, choose every name; returns times of our script, and of frames with steps."""
    page.evaluate(RECORD)
    for slider in page.locator(".npo-explorer input[type=range]").all():
        box = slider.bounding_box()
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 8, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 8, y, steps=60)
        page.mouse.up()
    for button in page.locator(".npo-explorer input[type=radio]:not(:checked)").all():
        button.check()
    page.wait_for_timeout(100)
    return page.evaluate("[steps_, frames_]")


def steps(browser, folder, demo):
    save_html(getattr(demos, demo)(), folder / "one.html", title=demo)
    for rate, budget in THROTTLES.items():
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto((folder / "one.html").as_uri())
        page.wait_for_selector(".npo-chart[viewBox]")
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
        times, frames = drag(page)
        median, most = np.median(times), np.quantile(times, 0.95)
        row(f"{demo}: step, CPU {rate}×, median (95 %)", f"{median:.1f} ({most:.1f})", budget, "ms", most <= budget)
        # a missed frame makes the next one twice as long
        made = np.mean(np.array(frames) < 1.5 * FRAME)
        row(f"{demo}: made the next frame, CPU {rate}×", f"{made:.1%} of {len(frames)}", "100", "%", made == 1)
        page.close()


def mounting(browser, folder):
    ten = [getattr(demos, name)() for name in (demos.__all__ * 2)[:10]]
    save_html(ten, folder / "ten.html", title="Ten")
    times = []
    for _ in range(5):
        page = browser.new_page()
        page.add_init_script(f"({DRAWN})()")
        page.goto((folder / "ten.html").as_uri())
        page.wait_for_function("window.drawn_")
        times.append(page.evaluate("drawn_"))
        page.close()
    median = np.median(times)
    row("ten demos in a page, mounted and drawn", f"{median:.0f} ({max(times):.0f})", 200, "ms", median <= 200)


def main():
    make_parser("tests.benchmarks.demos", __doc__).parse_args()
    chromium = find_chromium() or sys.exit("no Chromium on this machine")
    site = ROOT / "_build/html"
    if not site.is_dir():
        sys.exit("build the book first")
    print(f"{'':44}{'measured':>24}{'budget':>10}")
    weights(site)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        mounting(browser, Path(folder))
        for demo in demos.__all__:
            steps(browser, Path(folder), demo)
        browser.close()


if __name__ == "__main__":
    main()
