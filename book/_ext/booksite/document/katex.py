"""KaTeX, in an embedded JavaScript engine: formulas become HTML and MathML without a browser."""

import json
import os
from functools import cache
from pathlib import Path

import quickjs

KATEX = Path(__file__).parents[1] / "katex"
RENDER = """
;function render(request) {
  const [tex, options] = JSON.parse(request);
  try { return JSON.stringify({ html: katex.renderToString(tex, options) }); }
  catch (error) { return JSON.stringify({ error: String(error) }); }
}"""


@cache
def engine(process):
    """KaTeX, started once in each process: engines do not survive a fork."""
    context = quickjs.Context()
    context.eval((KATEX / "katex.min.js").read_text("utf-8") + RENDER)
    return context.get("render")


@cache
def render(tex, display):
    """`{"html": …}`, or `{"error": …}` where KaTeX does not understand the formula."""
    options = {
        "displayMode": display,
        "throwOnError": True,
        # without this Chinese words in a formula are an error; they are drawn in the page's own font
        "strict": "ignore",
        "output": "htmlAndMathml",
    }
    answer = json.loads(engine(os.getpid())(json.dumps([tex, options])))
    if "html" in answer:
        # KaTeX writes this where an alignment has one column only, and HTML does not allow it
        answer["html"] = answer["html"].replace(' columnspacing=""', "")
    return answer
