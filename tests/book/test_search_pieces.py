from booksite.finish.search import names
from booksite.finish.search_pieces import pieces

PAGE = """<!doctype html><html><body><p>outside</p><article class="bd-article">
<section id="one"><h1>One<a class="headerlink" href="#one">#</a></h1>
<p>A <strong>first</strong> term<!-- a comment --> and a <strong>second <em>one</em></strong>.<br>A new line.</p>
<div class="math-display">E = mc^2</div><p>between</p>
<p>Half is <math><mfrac><mi>a</mi><mn>2</mn></mfrac><msub><mi>x</mi><mi>i</mi></msub></math>.</p>
<div class="admonition" id="thm"><p class="admonition-title">Theorem 1</p><p>It holds.</p>
<div class="admonition solution" id="solved"><p class="admonition-title">Solution</p><p>secret</p></div></div>
<div class="cell_input"><pre>print(1)</pre></div><div class="cell_output"><pre>2</pre></div>
<section id="two"><h2>Two</h2><script>alert()</script><p>Last.</p></section></section>
<dl><dt class="sig" id="pack.mod.name">pack.mod.name(x)</dt><dd>Says what it does.</dd></dl>
</article><p>outside</p></body></html>"""


def test_a_page_is_cut_into_what_a_search_should_find():
    one, theorem, two, function = found = pieces(PAGE)
    assert [piece.anchor for piece in found] == ["one", "thm", "two", "pack.mod.name"]
    assert [piece.title for piece in found] == ["One", "Theorem 1", "Two", "name · pack.mod"]
    assert one.text == "A first term and a second one. A new line. … between Half is a/2x_i."
    assert one.terms == "first · second"
    assert (one.code, theorem.code) == ("print(1)", "")
    assert theorem.text == "It holds."
    assert two.text == "Last."
    assert function.text == "pack.mod.name(x) Says what it does."


def test_sentences_and_starts_of_proofs_name_nothing():
    assert (
        names("Proof. · Bradley–Terry model · 证明。 · 对数比降得不比间隔快 · 直接偏好优化")
        == "Bradley–Terry model · 直接偏好优化"
    )
    assert names("") == ""
