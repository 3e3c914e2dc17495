"""Two of the site's notebooks in a live JupyterLab: formulas are drawn, figures appear, demos move.

Demos use the language of the notebook, not that of JupyterLab.
"""

import shutil

import pytest

from tests.book.pages import BASE
from tests.browser.notebooks import jupyterlab
from tests.browser.visit import DESKTOP, Visit

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def lab(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(site / "notebooks", folder / "root")
    with jupyterlab(folder) as address:
        yield address


@pytest.mark.parametrize(("notebook", "button"), [("zh/npo", "重置"), ("en/stability", "Reset")])
def test_a_demo_of_a_notebook_moves(browser, lab, notebook, button):
    with Visit(browser, lab, **DESKTOP | {"viewport": {"width": 1280, "height": 5000}}) as visit:
        page = visit.page
        visit.context.set_default_timeout(60_000)
        page.goto(f"{lab}doc/tree/{notebook}.ipynb")
        page.get_by_text("| Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        explorer = page.locator(".npo-explorer").first
        curves = explorer.locator("path.npo-curve")
        curves.first.wait_for()
        page.locator(".jp-RenderedSVG").first.wait_for()
        # JupyterLab itself is in English here
        assert page.locator("html").get_attribute("lang") == "en"
        assert explorer.get_attribute("lang") == notebook.partition("/")[0]
        assert explorer.locator(".npo-reset").inner_text() == button
        before = [curve.get_attribute("d") for curve in curves.all()]
        explorer.locator("input").first.press("ArrowRight")
        explorer.locator("input").first.press("ArrowRight")
        page.wait_for_function(
            "([figure, before]) => [...figure.querySelectorAll('path.npo-curve')]"
            ".some((curve, i) => curve.getAttribute('d') !== before[i])",
            arg=[explorer.element_handle(), before],
        )
        page.locator(".jp-RenderedMarkdown mjx-container").first.wait_for()
        assert page.locator("mjx-merror, .jp-RenderedMarkdown .MathJax_Error").count() == 0
        assert page.locator(".jp-RenderedMarkdown blockquote mjx-container[display]").count() > 0
        # a drawing is a file of the published site
        drawings = f"foreign: {BASE}_images/"
        complaints = [complaint for complaint in visit.complaints if not complaint.startswith(drawings)]
        assert not [complaint for complaint in complaints if complaint.startswith(("foreign: ", "script: "))]
