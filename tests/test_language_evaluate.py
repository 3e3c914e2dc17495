"""Is it forgotten? Models are asked, compared and reported on: values by definition, and a report in both languages."""

import json
import math
import re

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from scipy import stats
from sklearn.metrics import roc_auc_score

from npo_tutorial.language import encode, evaluate, evaluation, read_records, write_records
from npo_tutorial.language.evaluation import (
    Report,
    bootstrap_interval,
    extraction_strength,
    forget_quality,
    leak_at_k,
    measure,
    min_k,
    privleak,
    rouge_l_recall,
)
from npo_tutorial.language.evaluation.judging import FORGOTTEN, KEPT, compare_ratios, judge, per_question, truth_ratios
from npo_tutorial.language.evaluation.report import DEFINED, WAYS, _of_set, _of_test, _words
from tests.conftest import ROOT
from tests.made_up_reports import made_up, make_report
from tests.tiny_language import make_model, make_tokenizer, other_model, plain_logp, token_log_softmax

# the report takes seconds: one worker should make it
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.xdist_group("report")]
OPTIONS = {"max_new_tokens": 6}


def make_records(n, start=0, *, false=(2, 3)):
    """Questions with everything that can be asked; the number of false answers varies."""
    return [
        {
            "prompt": f"Where was {i} born?",
            "response": f" In {'ABC'[i % 3]}b{i}.",
            "paraphrased_prompt": f"What town is {i} of?",
            "paraphrased_response": f" It is Ab{i}.",
            "false_responses": [f" It is Cd{i + j}." for j in range(false[i % len(false)])],
        }
        for i in range(start, start + n)
    ]


SETS = {"forget": make_records(4), "retain": make_records(3, 10), "held_out": make_records(3, 20)}


@pytest.fixture(scope="module")
def report():
    """Of three random models."""
    return evaluate(
        make_model(), make_tokenizer(), SETS, before=other_model(), retrained=make_model(3), samples=3, **OPTIONS
    )


# ----- what a model is asked


@pytest.mark.parametrize("chat", [False, True])
def test_values_of_questions_by_definition(chat):
    tokenizer, model, records = make_tokenizer(chat), make_model(), SETS["forget"]
    found = measure(model, tokenizer, records, **OPTIONS)
    for i, item in enumerate(encode(records, tokenizer)):
        tokens, labels = item["input_ids"], item["labels"]
        logp = plain_logp(model, tokens, labels).item()
        log_softmax, targets = token_log_softmax(model, tokens, labels)
        of_tokens = log_softmax[torch.arange(len(targets)), targets]
        assert found["logp_per_token"][i] == pytest.approx(logp / len(targets))
        # the token that ends the answer does not count
        assert tokens[-1] == tokenizer.eos_token_id
        assert found["min_k"][i] == pytest.approx(min_k(of_tokens[:-1].detach().numpy()))
        right = (log_softmax.argmax(dim=-1) == targets)[:-1]
        assert found["extraction_strength"][i] == extraction_strength(right.numpy())
        # the most probable token after the prompt, then after that one, and so on
        prompt = [token for token, label in zip(tokens, labels, strict=True) if label < 0]
        own = []
        for _ in range(OPTIONS["max_new_tokens"]):
            token = model(torch.tensor([prompt + own])).logits[0, -1].argmax().item()
            if token == tokenizer.eos_token_id:
                break
            own.append(token)
        assert found["answer"][i] == tokenizer.decode(own, skip_special_tokens=True)
        assert found["rouge_l_recall"][i] == rouge_l_recall(records[i]["response"], found["answer"][i])


def test_answers_in_other_words_are_given_to_the_question_itself():
    tokenizer, model, records = make_tokenizer(), make_model(), SETS["forget"]
    found = measure(model, tokenizer, records, **OPTIONS)

    def mean(prompt, response):
        (item,) = encode([{"prompt": prompt, "response": response}], tokenizer)
        return plain_logp(model, item["input_ids"], item["labels"]).item() / (len(response) + 1)

    for record, true, false in zip(
        records, found["paraphrased_logp_per_token"], found["false_logp_per_token"], strict=True
    ):
        assert true == pytest.approx(mean(record["prompt"], record["paraphrased_response"]))
        assert false == pytest.approx([mean(record["prompt"], text) for text in record["false_responses"]])


def test_batches_and_the_state_of_the_model_do_not_matter():
    tokenizer, model = make_tokenizer(), make_model()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = measure(model.train(), tokenizer, SETS["forget"], batch_size=1, **OPTIONS)
    second = measure(model, tokenizer, SETS["forget"], batch_size=3, **OPTIONS)
    assert model.training and torch.equal(torch.rand(1), expected)
    assert first["answer"] == second["answer"]
    assert first["logp_per_token"] == pytest.approx(second["logp_per_token"])
    assert np.ravel(first["min_k"]) == pytest.approx(second["min_k"])


def test_sampled_answers_have_the_frequencies_of_the_model():
    """One token, drawn often: within four standard errors of its probability; top-k would cut the tail."""
    tokenizer, model = make_tokenizer(), make_model()
    records = [{"prompt": "Letter?", "response": " a"}, {"prompt": "Letter!", "response": " a"}]
    found = measure(model, tokenizer, records, samples=400, max_new_tokens=1, seed=1)
    again = measure(model, tokenizer, records, samples=400, max_new_tokens=1, seed=1)
    assert found["sampled_rouge"] == again["sampled_rouge"]
    prompt = tokenizer(records[0]["prompt"])["input_ids"]
    p = model(torch.tensor([prompt])).logits[0, -1].softmax(dim=-1)[tokenizer.convert_tokens_to_ids("a")].item()
    assert abs(np.mean(found["sampled_rouge"][0]) - p) < 4 * math.sqrt(p * (1 - p) / 400) + 1e-9


def test_no_more_answers_are_drawn_at_once_than_a_batch_has(monkeypatch):
    tokenizer, model = make_tokenizer(), make_model()
    drawn, plain = [], type(model).generate
    monkeypatch.setattr(type(model), "generate", lambda *given, **how: drawn.append(plain(*given, **how)) or drawn[-1])
    records = [{"prompt": f"Letter {n}?", "response": " a"} for n in range(3)]
    found = measure(model, tokenizer, records, samples=5, max_new_tokens=1, batch_size=2)
    sampled = drawn[-9:]
    assert [len(tokens) for tokens in sampled] == [2, 2, 1] * 3
    assert np.shape(found["sampled_rouge"]) == (3, 5)
    assert found["sampled_rouge"] == [[rouge_l_recall(" a", x) for x in row] for row in found["sampled_answer"]]


# ----- what follows

PAIR = ("model", "retrained")


def report_of(measured):
    return Report(judge(measured), measured, [("?", "!")] * 40)


@pytest.fixture
def measured(rng):
    return {"before": made_up(rng, 1.9), "model": made_up(rng, 1.0), "retrained": made_up(rng, 0)}


def test_too_little_is_found_by_every_metric(measured):
    found = judge(measured)
    outcomes = {row["metric"]: row["outcome"] for row in found["sets"]["forget"]["rows"]}
    assert outcomes == {
        **dict.fromkeys(("logp_per_token", "rouge_l_recall", "extraction_strength", "correct_share"), "too_little"),
        "closer_to_1_better": None,
    }
    assert found["overall"] == found["sets"]["forget"]["overall"] == "too_little"
    kept = {row["metric"]: row["outcome"] for row in found["sets"]["retain"]["rows"]}
    assert kept["logp_per_token"] == "no_change" and "true_better" in kept
    json.dumps(found)


def test_tests_and_attacks_are_those_of_their_functions(measured):
    found = judge(measured)
    model, retrained = measured["model"], measured["retrained"]
    for mean in ("geometric", "arithmetic"):
        peer = forget_quality(*(truth_ratios(x["forget"], mean) for x in (model, retrained)))
        low, high = found["forget_quality"][mean].pop("interval")
        assert found["forget_quality"][mean] == peer._asdict() and low <= peer.signed <= high < 0
    aucs = {}
    for role, of_role in measured.items():
        members, others = of_role["forget"]["min_k"], of_role["held_out"]["min_k"]
        aucs[role] = roc_auc_score([1] * len(members) + [0] * len(others), members + others)
        value, low, high = found["membership"]["values"][role]
        assert value == pytest.approx(aucs[role]) and low <= value <= high
    leak = found["membership"]["privleak"]
    assert leak["difference"][0] == pytest.approx(privleak(aucs["model"], aucs["retrained"]))
    assert leak["outcome"] == "too_little"


@pytest.mark.parametrize("shift", [-2.0, -0.5, 0.0, 0.5])
def test_the_interval_of_forget_quality_is_that_of_many_tests(rng, shift):
    ratios, retrained = np.exp(rng.normal(shift, 1, 30)).round(2), np.exp(rng.normal(0, 1, 40)).round(2)
    found = compare_ratios(ratios, retrained)
    again = [forget_quality(*(rng.choice(x, len(x)) for x in (ratios, retrained))).signed for _ in range(500)]
    np.testing.assert_allclose(found["interval"], np.quantile(again, [0.025, 0.975]), atol=0.1)
    assert found["interval"] != compare_ratios(ratios, retrained, level=0.5)["interval"]


def test_the_sign_of_forget_quality_is_told_only_if_its_interval_has_one(rng):
    """Ratios that are scattered on both sides of the retrained model's differ from them in neither direction."""
    retrained = np.exp(rng.normal(0, 0.1, 40))
    said = {}
    for name, logarithms in {
        "little": rng.normal(-1, 0.1, 40),
        "much": rng.normal(1, 0.1, 40),
        "scattered": np.r_[rng.normal(-1, 0.1, 20), rng.normal(1, 0.1, 20)],
        "same": rng.normal(0, 0.1, 40),
    }.items():
        test = compare_ratios(np.exp(logarithms), retrained)
        for language, words in {"en": ("too little", "too much"), "zh": ("太少", "太多")}.items():
            line = _of_test("geometric", test, language)
            said[name, language] = [word in line for word in words], "contains both signs" in line or "两种符号" in line
    for language in ("en", "zh"):
        assert said["little", language] == ([True, False], False)
        assert said["much", language] == ([False, True], False)
        assert said["scattered", language] == ([True, True], True)
        assert said["same", language] == ([False, False], False)


def test_utility_is_the_harmonic_mean_of_means_with_questions_drawn_whole(measured):
    found = judge(measured)["utility"]
    of_set = measured["model"]["retain"]
    columns = [
        np.exp(of_set["logp_per_token"]),
        np.array(of_set["rouge_l_recall"]),
        np.maximum(0, 1 - truth_ratios(of_set, "geometric")),
    ]
    assert found["values"]["model"][0] == pytest.approx(stats.hmean([column.mean() for column in columns]))
    draws = np.random.default_rng(1).integers(0, 30, (4000, 30))
    values = stats.hmean([column[draws].mean(axis=1) for column in columns])
    assert found["values"]["model"][1:] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.01)
    # a model that knows one of the three not at all is of no use
    measured["model"]["retain"]["rouge_l_recall"] = [0.0] * 30
    assert judge(measured)["utility"]["values"]["model"] == [0, 0, 0]


def test_leaks_are_estimated_for_powers_of_two_and_all_samples(measured, rng):
    rows = {role: rng.random((40, 6)).tolist() for role in measured}
    for role, of_role in measured.items():
        of_role["forget"]["sampled_rouge"] = rows[role]
    found = {row["metric"]: row["values"]["model"][0] for row in judge(measured)["sets"]["forget"]["rows"]}
    for k in (1, 2, 4, 6):
        assert found[f"leak@{k}"] == pytest.approx(np.mean([leak_at_k(row, k) for row in rows["model"]]))
    assert [name for name in found if name.startswith("leak")] == ["leak@1", "leak@2", "leak@4", "leak@6"]


def test_what_comes_back_is_compared_with_the_control(measured, rng):
    for role, shift in {"before": 0.1, "model": 0.8, "retrained": 0.0}.items():
        of_set = made_up(rng, 0)["forget"]
        higher = np.array(of_set["logp_per_token"]) + shift + 0.01 * rng.standard_normal(40)
        measured[role] |= {"control": of_set, "relearned": of_set | {"logp_per_token": list(higher)}}
    found = judge(measured)
    for role, shift in {"before": 0.1, "model": 0.8, "retrained": 0.0}.items():
        mean, low, high = found["relearning"][role]
        assert abs(mean - shift) < 0.01 and low < mean < high < low + 0.02
    text = " ".join(report_of(measured).text().split())
    assert re.search(r"Model: after half of the forget set was taught, [^:]* than in the control by \+0\.80 \[", text)
    # the gains of the same questions, not of their means
    gains = [np.subtract(*(measured[x][y]["logp_per_token"] for y in ("relearned", "control"))) for x in PAIR]
    more = found["relearning_difference"]
    assert more == {"difference": list(bootstrap_interval(gains[0] - gains[1])), "outcome": "higher"}
    assert re.search(r"The model gains \+0\.80 \[\+0\.\d\d, \+0\.\d\d\] nats more than the retrained model", text)


@pytest.mark.parametrize(
    ("gain", "said"),
    [(0.5, "more comes back"), (-0.5, "less comes back"), (0.0, "not shown that more or less comes back")],
)
def test_relearning_says_whether_more_comes_back_than_for_the_retrained_model(measured, rng, gain, said):
    for role, shift in {"before": 0.0, "model": 0.3 + gain, "retrained": 0.3}.items():
        of_set = made_up(rng, 0)["forget"]
        higher = np.array(of_set["logp_per_token"]) + shift + 0.1 * rng.standard_normal(40)
        measured[role] |= {"control": of_set, "relearned": of_set | {"logp_per_token": list(higher)}}
    assert said in " ".join(report_of(measured).text().split())
    # without the retrained model there is nothing to compare with
    del measured["retrained"]
    assert "relearning_difference" not in judge(measured) and "comes back than" not in report_of(measured).text()


def test_without_a_retrained_model_changes_are_told_and_questions_stay_open(measured):
    del measured["retrained"]
    found = judge(measured)
    assert found["overall"] is None and "forget_quality" not in found and "privleak" not in found["membership"]
    assert found["unanswered"][:3] == ["too_little_or_too_much", "forget_quality", "privleak"]
    outcomes = {row["metric"]: row["outcome"] for row in found["sets"]["forget"]["rows"]}
    assert outcomes["logp_per_token"] == "lower"
    for of_role in measured.values():
        of_role.pop("retain"), of_role.pop("held_out")
    assert set(judge(measured)["unanswered"]) >= {"membership", "utility"}


def test_an_attack_that_needs_no_membership_gives_no_privleak(measured):
    """The held-out questions differ from the forget set in kind: the retrained model finds them all."""
    measured["retrained"]["held_out"]["min_k"] = [-99.0] * 30
    assert judge(measured)["membership"]["privleak"] is None


# ----- the report


def test_a_report_has_all_sets_and_numbers(report):
    assert isinstance(report, Report)
    assert set(report.found["sets"]) == {"forget", "otherwise", "retain", "held_out"}
    assert report.questions[1] == ("Where was 1 born?", " In Bb1.")
    # with the same models as before, nothing has changed
    same = evaluate(make_model(), make_tokenizer(), {"forget": SETS["forget"]}, before=make_model(), **OPTIONS)
    rows = same.found["sets"]["forget"]["rows"]
    assert {row["outcome"] for row in rows} == {"no_change", None}
    assert all(row["difference"] in ([0, 0, 0], None) for row in rows)
    assert json.loads(json.dumps(report.json())) == json.loads(json.dumps(report.json()))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_in_the_text_has_an_interval_and_every_open_question_a_remedy(report, language):
    text = report.text(language)
    table = [line for line in text.splitlines() if "[" in line and ("ROUGE" in line or "leak@" in line)]
    assert len(table) > 5
    for line in table:
        assert len(re.findall(r"[+−]?\d+\.\d\d \[[+−]?\d+\.\d\d, [+−]?\d+\.\d\d\]", line)) in (1, 3), line
    assert language == "zh" or max(map(len, text.splitlines())) <= 110
    assert "--four-bits" in text and "--relearning-steps" in text and "--retrained" not in text
    assert "Where was 2 born?" in text and "Where was 3 born?" not in text
    assert ("3 of 4 questions" if language == "en" else "4 个问题中的 3 个") in text
    assert "Where was 3 born?" in report.html(language)
    assert bool(re.search("[一-鿿]", text)) == (language == "zh")


def test_columns_of_chinese_are_as_wide_as_their_characters(report):
    lines = report.text("zh").splitlines()
    start = next(i for i, line in enumerate(lines) if line.split() == ["指标", "遗忘前", "模型", "重训练"])
    places = set()
    for line in lines[start : start + 4]:
        cells = re.split(r"(?<=\S)  +", line.strip())
        head = line[: line.index(cells[1])]
        places.add(sum(2 if "一" <= x <= "鿿" or x in "（），" else 1 for x in head))
    assert len(places) == 1


def test_all_words_are_in_both_languages_and_all_outcomes_have_words():
    def leaves(words):
        if "en" in words or "zh" in words:
            yield words
        for value in words.values():
            if isinstance(value, dict):
                yield from leaves(value)

    words = _words()
    for pair in leaves(words):
        assert {"en", "zh"} <= pair.keys()
        fields = [sorted(re.findall(r"{(\w+)}", pair[language])) for language in ("en", "zh")]
        assert fields[0] == fields[1], pair["en"]
    outcomes = {"too_little", "as_retrained", "too_much", "not_too_little", "undecided", "nothing_to_forget"}
    assert words["outcome"].keys() == outcomes | {"lower", "higher", "no_change"} <= words["short"].keys()
    assert words["overall"].keys() == outcomes - {"not_too_little"} | {"both", "unknown"}
    assert words["set"].keys() == {*FORGOTTEN, *KEPT}
    # what is measured has a source and a direction: no name is without a definition
    directions = {"en": "larger|largest|smaller|negative|narrower", "zh": "越大|最大|越多|小于|为负|越窄"}
    assert words["metric"].keys() >= {*DEFINED, *WAYS, "interval"}
    for name, of in words["metric"].items():
        for language, direction in directions.items():
            definition = of["definition"][language]
            assert re.search(r"arXiv:\d{4}\.\d{5}|Lin|Efron", definition), (name, language)
            assert re.search(direction, definition, re.IGNORECASE), (name, language)


def test_what_is_measured_is_defined_and_nothing_else(report):
    everything, some = make_report("too_little").text(), report.text()
    for name in ("Other words", "Another language", "4 bits", "Relearning", "PrivLeak", "Interval"):
        assert f"\n  {name}: " in everything, name
    for name, is_there in (("Other words", True), ("Interval", True), ("4 bits", False), ("Relearning", False)):
        assert (f"\n  {name}: " in some) == is_there, name


# a difference with its interval, the margin if there is one, the outcome, and how they are written
SMALL = {
    "a small change": ([-0.0012, -0.002, -0.0004], None, "lower", "is −0.0012 [−0.0020, −0.0004]."),
    "a tiny change": ([3e-9, 1e-9, 5e-9], None, "higher", "is +3.0e−09 [+1.0e−09, +5.0e−09]."),
    "no change": ([0.0, 0.0, 0.0], None, "no_change", "is +0.00 [+0.00, +0.00]."),
    "above a small margin": (
        [0.012, 0.0041, 0.03],
        0.0022,
        "too_little",
        "+0.012 [+0.004, +0.030], is above the margin of 0.002.",
    ),
    "just above a margin": (
        [0.104, 0.1032, 0.106],
        0.1001,
        "too_little",
        "+0.104 [+0.103, +0.106], is above the margin of 0.100.",
    ),
    "just below minus the margin": (
        [-0.3, -0.4, -0.1041],
        0.0998,
        "too_much",
        "−0.300 [−0.400, −0.104], is below the margin of −0.100.",
    ),
    "within a small margin": (
        [0.0001, -0.0003, 0.0004],
        0.0021,
        "as_retrained",
        "+0.0001 [−0.0003, +0.0004], is within the margin of ±0.0021.",
    ),
    "as large as usual": ([0.25, 0.21, 0.3], 0.1, "too_little", "+0.25 [+0.21, +0.30], is above the margin of 0.10."),
}


@pytest.mark.parametrize("case", SMALL)
def test_sentences_about_small_numbers_do_not_contradict_themselves(case):
    difference, margin, outcome, said = SMALL[case]
    row = {"metric": "rouge_l_recall", "values": {"model": [0.5, 0.4, 0.6]}}
    row |= {"difference": difference, "margin": margin, "outcome": outcome}
    reference = "before" if margin is None else "retrained"
    of_set = {"questions": 4, "reference": reference, "rows": [row], "overall": None}
    section = _of_set("forget", of_set, ["model"], "en")
    assert section.lines[0].endswith(said)
    # the table says the same
    assert section.rows[0][2] in section.lines[0]


def test_the_score_that_falls_on_both_sides_says_its_difference_and_no_outcome(measured):
    row = next(x for x in judge(measured)["sets"]["forget"]["rows"] if x["metric"] == "closer_to_1_better")
    scores = [per_question(measured[role]["forget"])["closer_to_1_better"] for role in ("model", "retrained")]
    assert row["difference"] == list(bootstrap_interval(scores[0] - scores[1])) and row["outcome"] is None
    for language, other in (("en", "from the retrained model is"), ("zh", "与重训练模型之差为")):
        (line,) = [x for x in report_of(measured).text(language).splitlines() if "min(R, 1/R)" in x and other in x]
        assert re.search(r"−0\.\d\d \[−0\.\d\d, −0\.\d\d\]", line), line
    del measured["retrained"]
    assert "min(R, 1/R): the difference from before is +" in report_of(measured).text()


@pytest.mark.parametrize(
    ("shift", "said"),
    [(2.0, "above 0.5: "), (-2.0, "below 0.5: "), (0.0, "it is not shown that the attack")],
)
def test_an_auc_is_said_to_differ_from_a_half_only_if_its_interval_does(rng, shift, said):
    measured = {"before": made_up(rng, 1.9), "model": made_up(rng, 0)}
    measured["model"]["forget"]["min_k"] = list(rng.normal(shift, 1, 40))
    measured["model"]["held_out"]["min_k"] = list(rng.normal(0, 1, 30))
    text = " ".join(report_of(measured).text().split())
    assert re.search(rf"Model: AUC 0\.\d+ \[\d\.\d+, \d\.\d+\][,:] {said}", text), text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_needs_no_network_and_escapes_what_models_say(report, language):
    said = '<script>alert("1")</script> & <b>'
    report.measured["model"]["forget"]["answer"][0] = said
    page = report.html(language)
    soup = BeautifulSoup(page, "html.parser")
    assert soup.html["lang"] == {"en": "en", "zh": "zh-Hans"}[language]
    assert not soup.find_all(["script", "link", "img", "iframe", "b"]) and said in soup.get_text()
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", page)
    assert len(soup.find_all("h1")) == 1 and soup.title.string == soup.h1.string
    for table in soup.find_all("table"):
        widths = {len(row.find_all(["th", "td"])) for row in table.find_all("tr")}
        assert len(widths) == 1 and all(cell.get("scope") for cell in table.find_all("th"))
    # a picture is as wide as its scale
    xs = [float(line[side]) for line in soup.find_all("line") for side in ("x1", "x2")]
    assert xs and min(xs) >= 6 and max(xs) <= 144


def test_every_public_name_is_in_the_api_reference():
    page = (ROOT / "book/api.md").read_text("utf-8")
    entry = r"^\.\. (?:auto\w+:: npo_tutorial\.language\.evaluation\.|py:data:: )(\w+)$"
    entries = re.findall(entry, page, re.MULTILINE)
    for name in evaluation.__all__:
        assert entries.count(name) == 1, name
        assert getattr(evaluation, name).__doc__ or name.isupper(), name


# ----- bad input


def changed(i, **fields):
    records = [dict(record) for record in make_records(3)]
    for name, value in fields.items():
        if value is None:
            del records[i][name]
        else:
            records[i][name] = value
    return records


WRONG = {
    "no forget set": ({"retain": make_records(3)}, "sets must be a dict with the records to forget as 'forget'"),
    "another set": ({"forget": make_records(3), "test": make_records(3)}, "sets must have the names .*, got 'test'"),
    "one record": ({"forget": make_records(1)}, "forget must have at least 2 records for an interval, got 1"),
    "false answers missing": (
        {"forget": changed(1, false_responses=None)},
        'record 1: "false_responses" must be a non-empty list of texts, because other records have one, got None',
    ),
    "a false answer that is no text": (
        {"forget": changed(2, false_responses=[" a", 3])},
        r"record 2: \"false_responses\" must be a non-empty list of texts, .*, got \[' a', 3\]",
    ),
    "an empty paraphrase": (
        {"forget": changed(1, paraphrased_response=" ")},
        "record 1: \"paraphrased_response\" must be a text, because other records have one, got ' '",
    ),
    "an answer without words": (
        {"forget": changed(1, response=" ?!")},
        "record 1: an answer must contain a word, or ROUGE-L has no value",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_records_are_said_in_one_sentence(case):
    sets, message = WRONG[case]
    with pytest.raises(ValueError, match=f"^{message}"):
        evaluate(make_model(), make_tokenizer(), sets, before=make_model(), **OPTIONS)


def test_a_record_of_a_file_is_named_with_its_line(tmp_path):
    write_records(tmp_path / "forget.jsonl", [*make_records(3), {**make_records(1)[0], "false_responses": [" x" * 99]}])
    records = read_records(tmp_path / "forget.jsonl")
    with pytest.raises(ValueError, match=r"forget\.jsonl, line 4 has \d+ tokens, but the model has only 128 positions"):
        measure(make_model(), make_tokenizer(), records)


def test_damaged_weights_are_said(rng):
    model = make_model()
    with torch.no_grad():
        model.lm_head.weight[7] = math.nan
    with pytest.raises(ValueError, match=r"^log-probabilities must be finite, got nan or inf: the model's weights"):
        measure(model, make_tokenizer(), SETS["forget"])


NUMBERS = {"samples": -1, "max_new_tokens": 0, "batch_size": 0, "seed": -1}


@pytest.mark.parametrize("name", NUMBERS)
def test_wrong_numbers_are_named(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least [01], got {NUMBERS[name]}$"):
        measure(make_model(), make_tokenizer(), SETS["forget"], **{name: NUMBERS[name]})
