"""One vocabulary and one typography: both notation pages contain the glossary, and the Chinese pages follow it."""

import re

import pytest

from tests.book.glossary import AVOIDED, GLOSSARY, HAN, SLIPS
from tests.conftest import ROOT

CHINESE_PAGES = sorted((ROOT / "book/zh").glob("*.md"))
# in both languages
SHARED = [ROOT / "index.md", ROOT / "_config.yml", ROOT / "book/api.md"]
SHARED += [*(ROOT / "book/homework").glob("*.md"), ROOT / "book/_ext/booksite/words.yml"]
SHARED += [path for path in (ROOT / "npo_tutorial").rglob("*") if path.suffix in {".py", ".js", ".toml"}]
# other things than terms have one name too
OTHER_NAMES = re.compile(rf"{AVOIDED.pattern}|软件包|前置系数|本课程|这门课|{HAN} notebook")
FENCE = re.compile(r"\s*(?P<fence>`{3,}|~{3,}|:{3,})(?P<name>\{[^}]*\})?(?P<rest>.*)")
NO_TEXT_INSIDE = re.compile(r"\{(code|code-cell|code-block|math|raw)\}")
OPTION = re.compile(r"\s*:[\w-]+:( |$)")
NOT_PROSE = [
    r"\{[\w:+-]+\}`[^`]+`",  # roles
    r"(`+)(?!`).+?(?<!`)\1(?!`)",  # inline code
    r"(?s:\$\$.+?\$\$)",
    r"(?s:\\begin\{(\w+\*?)\}.+?\\end\{\1\})",
    r"(?m:^\([^)\s]+\)=$)",
    r"(?m:^%.*$)",
    r"\]\([^)\s]*\)",  # the target of a link; its text stays
    r"<[A-Za-z/!][^>\n]*>",
]
FORMULA = r"(?<!\\)\$(?:\\.|[^$\\\n])+\$"


def without_blocks(source):
    """The source without code, displayed formulas, and names and options of directives; line numbers stay the same."""
    lines, open_fences, options = [], [], False
    for line in source.splitlines():
        match = FENCE.fullmatch(line)
        bare = match and not (match["name"] or match["rest"].strip())
        if bare and open_fences and match["fence"].startswith(open_fences[-1][0]):
            open_fences.pop()
            line = ""
        elif open_fences and open_fences[-1][1]:
            line = ""
        elif match:
            is_code = not match["name"] and not match["fence"].startswith(":")
            open_fences.append((match["fence"], is_code or NO_TEXT_INSIDE.fullmatch(match["name"] or "")))
            line, options = "" if is_code else match["rest"], True
        elif options and OPTION.match(line):
            line = ""
        else:
            options = False
        lines.append(line)
    return "\n".join(lines)


def prose(source):
    """The text that a reader of the page sees, at the same position; "x" replaces an inline formula."""
    text = without_blocks(source)
    for pattern in NOT_PROSE:
        text = re.sub(pattern, lambda match: re.sub(r"[^\n]", "\ufffc", match[0]), text)
    return re.sub(FORMULA, lambda match: "x" * len(match[0]), text)


def slips(source):
    """(line number, what is wrong, surrounding text) of every slip in the typography of a Chinese page."""
    text, shown = prose(source), without_blocks(source)
    for what, pattern in SLIPS.items():
        for match in re.finditer(pattern, text):
            start, end = match.span()
            around = shown[max(start - 12, 0) : end + 12].replace("\n", " ")
            yield text.count("\n", 0, start) + 1, what, around


def glossary_table(edition):
    """The first two cells of every row of the glossary on the notation page."""
    source = (ROOT / f"book/{edition}/notation.md").read_text("utf-8")
    section = source.partition(f"({edition}-sec-glossary)=")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_glossary_is_large_enough_and_has_no_duplicates():
    assert len(GLOSSARY) >= 30, f"book/glossary.yml must have 30 terms or more, it has {len(GLOSSARY)}"
    for language in ("en", "zh"):
        terms = [term[language] for term in GLOSSARY]
        double = {term for term in terms if terms.count(term) > 1}
        assert not double, f"book/glossary.yml must have a term once only, these are repeated: {double}"


@pytest.mark.parametrize("edition", ["zh", "en"])
def test_notation_page_contains_the_glossary(edition):
    other = {"zh": "en", "en": "zh"}[edition]
    expected = {(term[edition], term[other]) for term in GLOSSARY}
    table = [tuple(row) for row in glossary_table(edition)]
    where = f"book/{edition}/notation.md"
    assert not expected - set(table), f"{where}: its table of terms lacks {expected - set(table)}"
    assert not set(table) - expected, f"book/glossary.yml lacks {set(table) - expected}"
    assert len(table) == len(expected), f"{where} repeats a row"


def test_no_term_of_the_glossary_is_one_to_avoid():
    for term in GLOSSARY:
        assert not AVOIDED.search(term["zh"]), f"book/glossary.yml both uses and avoids {term['zh']}"


# the errata quote other authors
@pytest.mark.parametrize("page", [page for page in CHINESE_PAGES if page.stem != "errata"], ids=lambda page: page.stem)
def test_chinese_page_avoids_other_wordings(page):
    found = other_wordings(page)
    assert not found, "\n".join(["use the word of the glossary:", *found])


def test_texts_in_both_languages_avoid_other_wordings():
    found = [line for path in SHARED for line in other_wordings(path)]
    assert not found, "\n".join(["use the word of the glossary:", *found])


def other_wordings(page):
    return [
        f"{page.relative_to(ROOT)}:{number}: {match[0]}, see book/glossary.yml: {line.strip()[:80]}"
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1)
        for match in OTHER_NAMES.finditer(line)
    ]


@pytest.mark.parametrize("page", CHINESE_PAGES, ids=lambda page: page.stem)
def test_typography_of_chinese_page(page):
    found = [f"{page.relative_to(ROOT)}:{line}: {what}: {text}" for line, what, text in slips(page.read_text("utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "slip",
    [
        "最小化NPO 损失",
        "NPO损失",
        "第3 章",
        "共 3个",
        "**NPO**损失",
        "损失 *L*是",
        "对$\\theta$ 求导",
        "对 $\\theta$求导",
        "逆温度β 越大",
        "[论文NPO](https://example.org)",
        "损失,梯度",
        "为什么?",
        "注意:",
        "**注意**: 见下",
        "取 $\\beta = 1$,则有",
        "```{prf:proof}\n由上式NPO 得\n```",
        "````{note}\n```python\nx = 1\n```\n损失;梯度\n````",
        ":::{tip} 用NPO\n内容\n:::",
    ],
)
def test_a_slip_is_found(slip):
    assert len(list(slips(slip))) == 1


LEGITIMATE = r"""---
myst:
  html_meta:
    description: 一句话，讲 NPO 与 DPO。
---
(zh-sec-x)=
# 第 1 章：损失 $\mathcal{L}$ 与 **NPO** 损失

见{doc}`npo`和{numref}`图%s <zh-fig-a>`，{eq}`zh-eq-a`中的`beta`是逆温度；![图 A](a.svg)，[论文](https://example.org/文a)。
% 注释a,b
$$
a, \text{其中b}
$$
\begin{align}
a &= \text{若b}
\end{align}

```{code-cell} ipython3
:tags: [hide-input]
print("中a")  # 中,
```

```{glue:figure} fig-a
:name: zh-fig-a
:alt: 曲线u,逐渐
说明文字，$u \to 0$。
```

````{prf:proof}
```{math}
:label: zh-eq-a
x = \text{中x},
```
显然成立！
````

| 符号 | 含义 |
|:---|---|
| $\beta$ | 逆温度（`beta`） |

术语
: 定义，含 NPO 一词。

<span class="a">文字</span>，价格 \$5 左右。
"""


def test_legitimate_myst_raises_no_alarm():
    assert not list(slips(LEGITIMATE))


def test_avoided_wordings_are_found():
    assert AVOIDED.search("未学习问题")
    assert not AVOIDED.search("模型从未学习过这些样本")
