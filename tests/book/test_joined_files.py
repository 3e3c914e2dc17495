"""The joined files hold what every page asks for, whichever pages a build wrote."""

import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT

sys.path.append(str(ROOT / "book/_ext"))
from booksite.finish import joined_files


@pytest.fixture
def build(tmp_path):
    """A build that writes some pages of a site: `{page: its script}`; what the joined script then is."""
    static = tmp_path / "_static"
    static.mkdir()

    def build(written, all_pages):
        for script in written.values():
            (static / script).write_text(f"run({script!r})")
        app = SimpleNamespace(outdir=tmp_path, doctreedir=tmp_path, builder=SimpleNamespace(format="html"))
        app.env = SimpleNamespace(found_docs=all_pages)
        app.joined_files = {
            page: {"css_files": {}, "script_files": {f"_static/{script}": 200}} for page, script in written.items()
        }
        joined_files.join(app, None)
        return (tmp_path / joined_files.SCRIPT).read_text()

    return build


def test_a_page_that_is_not_written_again_keeps_its_script(build):
    first = build({"chapter": "demo.js", "appendix": "tabs.js"}, {"chapter", "appendix"})
    assert "demo.js" in first and "tabs.js" in first
    assert build({"appendix": "tabs.js"}, {"chapter", "appendix"}) == first
    assert build({}, {"chapter", "appendix"}) == first


def test_a_page_that_is_gone_takes_its_script_with_it(build):
    build({"chapter": "demo.js", "appendix": "tabs.js"}, {"chapter", "appendix"})
    assert "demo.js" not in build({"appendix": "tabs.js"}, {"appendix"})
