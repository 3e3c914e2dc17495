"""One readable report of an evaluation: for the terminal, and as one HTML file that needs no network."""

import functools
import html
import textwrap
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from npo_tutorial._checks import check_choice
from npo_tutorial._locale import LANGUAGES
from npo_tutorial.language.evaluation.judging import ROLES, SHOWS_TOO_MUCH, UNJUDGED

FOLDER = Path(__file__).parent
# what the terminal shows: this many answers, and lines of this length
SHOWN, COLUMNS = 3, 100
# outcomes as the page shows them, from left to right as its pictures: the more is remembered, the further to the right
SCALE = ("too_much", "as_retrained", "too_little")
# below this p-value the forget quality tells two models apart
TELLS_APART = 0.05
DEFINED = (*sorted(SHOWS_TOO_MUCH), "extraction_strength", "correct_share", *UNJUDGED, "probability", "true_better")
# sets that need a definition, too
WAYS = ("otherwise", "translated", "rounded", "relearned")
# of numbers: two decimals, or more if they are needed
PLAIN = ".2f"
FORMS = (PLAIN, ".3f", ".4f", ".5f", ".1e", ".4e", ".16e")


@dataclass
class Report:
    """Result of `evaluate`."""

    #: What follows from the measurements; `judge` says how.
    found: dict[str, Any]
    #: For each model and each set the values of single questions; see `Measured`.
    measured: dict[str, dict[str, Any]]
    #: Question and true answer of each record to forget.
    questions: list[tuple[str, str]]
    #: How it was made: names of models and files, options, versions.
    made: dict[str, Any] = field(default_factory=dict)

    def text(self, language: str = "en") -> str:
        """The report for a terminal, in English ("en") or Chinese ("zh")."""
        return _as_text(_opening(self.found, language), _sections(self, language, SHOWN), language)

    def html(self, language: str = "en") -> str:
        """The report as one HTML page, which loads nothing else, in English ("en") or Chinese ("zh")."""
        return _as_html(_opening(self.found, language), _sections(self, language, None), language)

    def json(self) -> dict[str, Any]:
        """The report as a dictionary for JSON: "found", "measured", "questions", "made"."""
        return {"made": self.made, "found": self.found, "questions": self.questions, "measured": self.measured}


class _Opening(NamedTuple):
    """What a reader sees first: the answer, its outcomes on the scale, and the outcome of each set."""

    title: str
    answer: str
    outcomes: Sequence[str]
    summary: Sequence[tuple[str, str]]


class _Picture(NamedTuple):
    """What is drawn of a row: means and intervals by role, and the margin around the retrained model."""

    values: Mapping[str, Sequence[float]]
    margin: float | None = None
    outcome: str | None = None


class _Section(NamedTuple):
    """A heading, sentences, and perhaps a table; `pictures` has one for each of its rows, which then end in an outcome.

    In a terminal a table with pictures has a column for each value of a picture: the sentences say what the others do.
    """

    heading: str
    lines: list[str]
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Sequence[_Picture] = ()


# ----- words


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "words.toml").read_text("utf-8"))


def _say(language: str, group: str, name: str, **fields: Any) -> str:
    text: str = _words()[group][name][language]
    return text.format(**fields) if fields else text


def _metric(language: str, name: str) -> str:
    leak, _, k = name.partition("@")
    return _say(language, "metric", leak, k=k) if k else _say(language, "metric", name)


def _number(value: float, *, signed: bool = False, form: str = PLAIN) -> str:
    # no minus before zero
    return f"{float(format(value, form)) + 0.0:{'+' if signed else ''}{form}}".replace("-", "−")


def _interval(values: Sequence[float], *, signed: bool = False, form: str = PLAIN) -> str:
    mean, low, high = (_number(value, signed=signed, form=form) for value in values)
    return f"{mean} [{low}, {high}]"


def _form(interval: Sequence[float], *borders: float) -> str:
    """How to write an interval so that neither of its ends, nor a border, looks like a border that it is not."""
    numbers = (*interval[1:], *borders)
    pairs = [(x, y) for x in numbers for y in borders if x != y]
    apart = (form for form in FORMS if all(_number(x, form=form) != _number(y, form=form) for x, y in pairs))
    return next(apart, FORMS[-1])


def _difference(interval: Sequence[float], *borders: float) -> str:
    return _interval(interval, signed=True, form=_form(interval, 0.0, *borders))


def _capital(text: str, language: str) -> str:
    return text[:1].upper() + text[1:] if language == "en" else text


# ----- what is said


def _opening(found: Mapping[str, Any], language: str) -> _Opening:
    check_choice("language", language, LANGUAGES)
    overall = found["overall"] or "unknown"
    # what one set does not show, another may
    summary = [
        (_set(name, of_set, language), of_set["overall"]) for name, of_set in found["sets"].items() if of_set["overall"]
    ]
    outcomes = ("too_much", "too_little") if overall == "both" else (overall,)
    return _Opening(_words()["title"][language], _say(language, "overall", overall), outcomes, summary)


def _sections(report: Report, language: str, shown: int | None) -> list[_Section]:
    found = report.found
    say = functools.partial(_say, language)
    roles = [role for role in ROLES if role in report.measured]
    level = f"{100 * found['level']:.10g}%"
    line = say("line", "intervals" if "retrained" in roles else "intervals_before", level=level)
    sections = [_Section("", [line])]
    for name, of_set in found["sets"].items():
        section = _of_set(name, of_set, roles, language)
        if name == "control":
            for role, values in found["relearning"].items():
                line = say("line", "relearning", role=say("role", role), value=_difference(values))
                section.lines.append(_capital(line, language))
            if "relearning_difference" in found:
                more = found["relearning_difference"]
                section.lines.append(
                    say("line", f"relearning_{more['outcome']}", value=_difference(more["difference"]))
                )
        sections.append(section)
    if "utility" in found:
        utility = found["utility"]
        values = [_interval(utility["values"][role]) for role in roles]
        difference = _difference(utility["difference"])
        header = _header("before", roles, language)
        row = [say("metric", "utility"), *values, difference, say("short", utility["outcome"])]
        sentence = _capital(say("outcome", utility["outcome"], metric=row[0], difference=difference), language)
        picture = _Picture(utility["values"], outcome=utility["outcome"])
        sections.append(_Section(say("heading", "utility"), [sentence], header, [row], [picture]))
    if "forget_quality" in found:
        sections.append(
            _Section(
                say("heading", "forget_quality"),
                [_of_test(mean, test, language) for mean, test in found["forget_quality"].items()],
            )
        )
    if "membership" in found:
        sections.append(_Section(say("heading", "membership"), _of_membership(found["membership"], language)))
    sections.append(_of_answers(report, roles, language, shown))
    if found["unanswered"]:
        sections.append(
            _Section(say("heading", "unanswered"), [say("unanswered", name) for name in found["unanswered"]])
        )
    sections.append(_Section(say("heading", "definitions"), _definitions(found, language)))
    sections.append(_Section(say("heading", "made"), _made(report.made, language)))
    return sections


def _set(name: str, of_set: Mapping[str, Any], language: str) -> str:
    return _say(language, "set", name, n=of_set["questions"])


def _header(reference: str, roles: Sequence[str], language: str) -> list[str]:
    columns = [_say(language, "column", name) for name in ("metric", f"difference_{reference}", "outcome")]
    return [columns[0], *(_say(language, "role", role) for role in roles), *columns[1:]]


def _of_set(name: str, of_set: Mapping[str, Any], roles: Sequence[str], language: str) -> _Section:
    say = functools.partial(_say, language)
    header = _header(of_set["reference"], roles, language)
    rows, lines = list[list[str]](), list[str]()
    for row in of_set["rows"]:
        metric, outcome = _metric(language, row["metric"]), row["outcome"]
        cells = [metric, *(_interval(row["values"][role]) for role in roles)]
        margin = row["margin"] or 0.0
        form = _form(row["difference"], 0.0, margin, -margin)
        difference = _interval(row["difference"], signed=True, form=form)
        fields = {"metric": metric, "difference": difference, "margin": _number(margin, form=form)}
        if outcome is None:
            sentence = say("line", f"both_sides_{of_set['reference']}", **fields)
        else:
            sentence = say("outcome", outcome, **fields)
        rows.append([*cells, difference, "–" if outcome is None else say("short", outcome)])
        lines.append(_capital(sentence, language))
    if of_set["overall"]:
        lines.insert(0, say("line", "set_overall", overall=say("short", of_set["overall"])))
    pictures = [_Picture(row["values"], row["margin"], row["outcome"]) for row in of_set["rows"]]
    return _Section(_set(name, of_set, language), lines, header, rows, pictures)


def _of_test(mean: str, test: Mapping[str, Any], language: str) -> str:
    low, high = test["interval"]
    kind = "same"
    if test["pvalue"] < TELLS_APART:
        # truth ratios that are scattered more widely than the retrained model's differ from them in both directions
        kind = "little" if high < 0 else "much" if low > 0 else "unclear"
    return _say(
        language,
        "line",
        f"forget_quality_{kind}",
        mean=_say(language, "mean", mean),
        p=f"{test['pvalue']:.2g}",
        distance=_difference([test["signed"], *test["interval"]]),
    )


def _of_membership(membership: Mapping[str, Any], language: str) -> list[str]:
    say = functools.partial(_say, language)
    lines = list[str]()
    for role, values in membership["values"].items():
        kind = "higher" if values[1] > 0.5 else "lower" if values[2] < 0.5 else "no_change"
        value = _interval(values, form=_form(values, 0.5))
        lines.append(_capital(say("line", f"auc_{kind}", role=say("role", role), value=value), language))
    if "privleak" in membership:
        leak = membership["privleak"]
        if leak is None:
            lines.append(say("line", "privleak_none"))
        else:
            value = _difference(leak["difference"], leak["margin"], -leak["margin"])
            margin = f"{leak['margin']:g}"
            lines.append(say("line", f"privleak_{leak['outcome']}", value=value, margin=margin))
    return lines


def _of_answers(report: Report, roles: Sequence[str], language: str, shown: int | None) -> _Section:
    say = functools.partial(_say, language)
    header = [say("column", "question"), say("column", "true"), *(say("role", role) for role in roles)]
    answers = [report.measured[role]["forget"]["answer"] for role in roles]
    rows = [
        [question, true, *(" ".join(text.split()) for text in own)]
        for (question, true), *own in zip(report.questions, *answers, strict=True)
    ]
    lines = [] if shown is None or len(rows) <= shown else [say("line", "shown", shown=shown, n=len(rows))]
    return _Section(say("heading", "answers"), lines, header, rows[:shown])


def _definitions(found: Mapping[str, Any], language: str) -> list[str]:
    used = {row["metric"].partition("@")[0] for of_set in found["sets"].values() for row in of_set["rows"]}
    used.update(found.get("utility", {}).get("parts", ()))
    names = [name for name in (*DEFINED, "leak") if name in used]
    names += [name for name in ("utility", "forget_quality", "membership") if name in found]
    names += ["privleak"] if found.get("membership", {}).get("privleak") else []
    names += [*(name for name in WAYS if name in found["sets"]), "interval"]
    parts = [_say(language, "metric", name) for name in found.get("utility", {}).get("parts", ())]
    comma = {"en": ", ", "zh": "、"}[language]
    lines = []
    for name in names:
        name_of = _say(language, "metric", name, k="k")
        text = _words()["metric"][name]["definition"][language].format(parts=comma.join(parts), k="k")
        lines.append(_capital(f"{name_of}{'：' if language == 'zh' else ': '}{text}", language))
    return lines


def _made(made: Mapping[str, Any], language: str) -> list[str]:
    """Models, files, options and versions, where they are known."""
    say = functools.partial(_say, language)
    comma, colon = {"en": (", ", ": "), "zh": ("，", "：")}[language]
    lines = []
    for group in ("models", "files", "options", "versions"):
        # what was left out has no value
        of_group = {name: x for name, x in made.get(group, {}).items() if x is not None and x is not False}
        if of_group:
            text = comma.join(f"{name} {value}" for name, value in of_group.items())
            lines.append(f"{say('made', group)}{colon}{text}")
    return lines


# ----- terminal


def _width(text: str) -> int:
    """Columns of a terminal; a Chinese character has two."""
    return sum(1 + (unicodedata.east_asian_width(x) in "WF") for x in text)


def _as_text(opening: _Opening, sections: Sequence[_Section], language: str) -> str:
    # Chinese may be broken anywhere, which terminals do themselves
    fill = textwrap.TextWrapper(COLUMNS if language == "en" else 10**6, break_long_words=False)
    blocks = [fill.fill(f"{opening.title}  {opening.answer}")]
    if opening.summary:
        of_sets = [(text, _say(language, "short", outcome)) for text, outcome in opening.summary]
        blocks.append("\n".join(_say(language, "line", "summary", set=x, outcome=y) for x, y in of_sets))
    for section in sections:
        lines = [section.heading] * bool(section.heading)
        if section.rows and section.pictures:
            n = 1 + len(section.pictures[0].values)
            table = [row[:n] for row in (section.header, *section.rows)]
            widths = [max(_width(row[i]) for row in table) for i in range(n)]
            for row in table:
                cells = [text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)]
                lines.append(("  " + "  ".join(cells)).rstrip())
        elif section.rows:
            # texts are too long for columns
            for row in section.rows:
                lines += [f"  {name}: {text}" for name, text in zip(section.header, row, strict=True)] + [""]
            lines.pop()
        if section.heading:
            fill.initial_indent, fill.subsequent_indent = "  ", "    "
        lines += [fill.fill(line) for line in section.lines]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


# ----- HTML

PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{opening}
{body}
</main>
</body>
</html>
"""
MARKS = {
    "before": '<rect x="{x:.1f}" y="2.5" width="5" height="5" transform="translate(-2.5 0)"/>',
    "model": '<circle cx="{x:.1f}" cy="12" r="3"/>',
    "retrained": '<path d="M{x:.1f} 15.5l3.5 6h-7z"/>',
}
HEIGHTS = {"before": 5, "model": 12, "retrained": 19}
WIDTH = 150


def _draw(picture: _Picture, label: str) -> str:
    """Means and intervals of the models on one line, and as a strip what counts as the retrained model's."""
    values, band = picture.values, list[float]()
    if picture.margin is not None:
        band = [values["retrained"][0] - picture.margin, values["retrained"][0] + picture.margin]
    ends = [*band, *(x for of in values.values() for x in of)]
    low, high = min(ends), max(ends)
    scale = (WIDTH - 12) / (high - low) if high > low else 0
    marks = []
    if band:
        width = max(1, scale * (band[1] - band[0]))
        marks.append(f'<rect class="band" x="{6 + scale * (band[0] - low):.1f}" width="{width:.1f}" height="24"/>')
    for role, of in values.items():
        mean, left, right = (6 + scale * (x - low) for x in of)
        y = HEIGHTS[role]
        line = f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>'
        marks.append(f'<g class="{role}">{line}{MARKS[role].format(x=mean)}</g>')
    head = f'<svg viewBox="0 0 {WIDTH} 24" width="{WIDTH}" height="24" role="img" aria-label="{html.escape(label)}">'
    return f"{head}{''.join(marks)}</svg>"


def _open(opening: _Opening, language: str) -> str:
    """The answer, on the scale if it lies there, and the outcome of each set."""

    def show(tag: str, outcome: str) -> str:
        return f'<{tag} class="outcome {outcome}">{html.escape(_say(language, "short", outcome))}</{tag}>'

    parts = []
    if set(opening.outcomes) <= set(SCALE):
        steps = (show("strong" if name in opening.outcomes else "span", name) for name in SCALE)
        # the sentence says it as well
        parts.append(f'<p class="scale" aria-hidden="true">{" ".join(steps)}</p>')
    parts.append(f'<p class="answer">{html.escape(opening.answer)}</p>')
    if opening.summary:
        items = "\n".join(f"<li>{html.escape(text)} {show('strong', name)}</li>" for text, name in opening.summary)
        parts.append(f'<ul class="sets">\n{items}\n</ul>')
    return "\n".join(parts)


def _rows(section: _Section, language: str) -> list[list[str]]:
    """The cells of a table, its header first; those of a row with a picture begin with what follows from it."""
    say = functools.partial(_say, language)
    texts = [[html.escape(text) for text in row] for row in (section.header, *section.rows)]
    if not section.pictures:
        return texts
    found = [[header[0], header[-1], *header[1:-1], html.escape(say("column", "picture"))] for header in texts[:1]]
    for cells, picture in zip(texts[1:], section.pictures, strict=True):
        outcome = f'<span class="outcome {picture.outcome}">{cells[-1]}</span>' if picture.outcome else cells[-1]
        label = "; ".join(f"{say('role', role)} {_interval(of)}" for role, of in picture.values.items())
        found.append([cells[0], outcome, *cells[1:-1], _draw(picture, label)])
    return found


def _as_html(opening: _Opening, sections: Sequence[_Section], language: str) -> str:
    body = []
    for section in sections:
        if section.heading:
            body.append(f"<h2>{html.escape(section.heading)}</h2>")
        if section.rows:
            header, *cells_of_rows = _rows(section, language)
            cells = "".join(f'<th scope="col">{text}</th>' for text in header)
            rows = []
            for first, *others in cells_of_rows:
                # on a phone each cell is a line, with the name of its column
                named = zip(header[1:], others, strict=True)
                rest = "".join(f'<td data-column="{name}">{cell}</td>' for name, cell in named)
                rows.append(f'<tr><th scope="row">{first}</th>{rest}</tr>')
            kind = "numbers" if section.pictures else "texts"
            # a reader without a mouse can scroll it
            body.append(
                f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(section.heading)}">\n'
                f'<table class="{kind}">\n<thead><tr>{cells}</tr></thead>\n<tbody>\n' + "\n".join(rows)
            )
            body.append("</tbody>\n</table>\n</div>")
        if section.lines and section.heading:
            items = "\n".join(f"<li>{html.escape(line)}</li>" for line in section.lines)
            body.append(f"<ul>\n{items}\n</ul>")
        else:
            body += [f"<p>{html.escape(line)}</p>" for line in section.lines]
    retrained = any("retrained" in picture.values for section in sections for picture in section.pictures)
    legend = html.escape(_say(language, "line", "legend" if retrained else "legend_before"))
    body.insert(body.index(next(x for x in body if x.startswith("<h2>"))), f"<p>{legend}</p>")
    return PAGE.format(
        language={"en": "en", "zh": "zh-Hans"}[language],
        title=html.escape(opening.title),
        opening=_open(opening, language),
        style=(FOLDER / "report.css").read_text("utf-8"),
        body="\n".join(body),
    )
