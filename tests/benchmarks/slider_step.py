"""What our script takes for a slider step: six curves of 200 points, axes redrawn, in Chromium, plain and throttled."""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from npo_tutorial.explore import explore, save_html
from tests.browser.conftest import ARGUMENTS

TIMES = """rounds => {
  const times = [];
  for (let i = 0; i < rounds; i++) for (const input of document.querySelectorAll(".npo-explorer input")) {
    input.value = (Number(input.value) + 1) % (Number(input.max) + 1);
    const start = performance.now();
    input.dispatchEvent(new Event("input"));
    times.push(performance.now() - start);
  }
  return times;
}"""


def curves(x, k):
    return {f"{i}": np.sin(k * x + i) for i in range(6)}


def main():
    chromium = shutil.which("chromium") or sys.exit("no Chromium on this machine")
    model = explore(
        curves, np.linspace(0, 6, 200), title="Six", x_label="x", y_label="y", y_limits="frame", k=np.linspace(1, 9, 60)
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        save_html(model, Path(folder, "six.html"), title="Six")
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(Path(folder, "six.html").as_uri())
        page.wait_for_selector(".npo-explorer")
        page.evaluate(TIMES, 60)
        print("CPU throttle   median ms   95 % ms   budget ms")
        for rate, budget in ((1, 2), (4, 8)):
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
            times = page.evaluate(TIMES, 60)
            print(f"{rate}×{np.median(times):22.1f}{np.quantile(times, 0.95):10.1f}{budget:12d}")
        browser.close()


if __name__ == "__main__":
    main()
