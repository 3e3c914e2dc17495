"""The checks of the homework: every wrong answer gets the hint that is meant for it, every right one passes."""

import inspect
import itertools
import pickle
import re
import string
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import numpy as np
import pytest
import torch

from npo_tutorial import homework
from npo_tutorial._locale import LANGUAGES, VARIABLE
from npo_tutorial.homework import Wrong, check_ga_loss, check_npo_loss, check_npo_step, dynamics, losses, runner
from npo_tutorial.homework import language as language_questions
from npo_tutorial.homework.compare import close
from npo_tutorial.homework.isolation import PRINTED, Output, TimeUp, run_apart
from npo_tutorial.homework.messages import HINTS, message
from tests.conftest import nightly
from tests.homework_answers import RIGHT, WRONG, hint_for, with_numpy, with_torch

assert with_numpy and with_torch  # they fill both lists

CHECKS = sorted(name for name in homework.__all__ if name.startswith("check_"))
QUESTIONS = [name.removeprefix("check_") for name in CHECKS]
SEEDS = (0, 1, 2, 20260401)
SOME_SEEDS = pytest.mark.parametrize("seeds", [[0, 20260401], *nightly([1, 2])], ids=str)


def first_right(question):
    return next(fn for name, fn in RIGHT if name == question)


def named(answers):
    return [f"{entry[0]}-{i}" + (f"-{entry[1]}" if len(entry) == 3 else "") for i, entry in enumerate(answers)]


@SOME_SEEDS
@pytest.mark.parametrize(("question", "hint", "fn"), WRONG, ids=named(WRONG))
def test_a_wrong_answer_gets_the_hint_that_is_meant_for_it(question, hint, fn, seeds):
    if hint == "time":
        assert hint_for(question, fn, time_limit=0.5) == hint
    else:
        got = {seed: hint_for(question, fn, seed=seed) for seed in seeds}
        assert set(got.values()) == {hint}, f"check_{question} says {hint!r} at every seed, it says {got}"


@SOME_SEEDS
@pytest.mark.parametrize(("question", "fn"), RIGHT, ids=named(RIGHT))
def test_a_right_answer_passes(question, fn, seeds):
    got = {seed: hint_for(question, fn, seed=seed) for seed in seeds}
    assert set(got.values()) == {""}, f"check_{question} has nothing to say to a right answer, it says {got}"


def test_the_catalogue_is_large_and_knows_every_hint():
    assert len(WRONG) >= 40 and len(RIGHT) >= 20
    for kind, answers in (("a wrong", WRONG), ("a right", RIGHT)):
        without = set(QUESTIONS) ^ {question for question, *_ in answers}
        assert not without, f"tests/homework_answers.py has {kind} answer to each question, and to no other: {without}"
    used = {hint for _, hint, _ in WRONG}
    assert not set(HINTS) - used, f"each hint of hints.toml has a wrong answer that gets it: {set(HINTS) - used}"
    assert not used - set(HINTS), f"hints.toml lacks hints that answers are to get: {used - set(HINTS)}"


@pytest.mark.parametrize("hint", HINTS)
def test_hints_are_bilingual_and_say_the_same(hint):
    assert list(HINTS[hint]) == list(LANGUAGES), f"the hint {hint} is in {list(LANGUAGES)}, got {list(HINTS[hint])}"
    fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in HINTS[hint].values()]
    assert fields[0] == fields[1], f"the hint {hint} has the same fields in braces in both languages, got {fields}"
    whole = HINTS[hint]["en"].rstrip(")")[-1] in ".?}" and HINTS[hint]["zh"].rstrip("）")[-1] in "。？}"
    assert whole, f"the hint {hint} is a whole sentence in both languages: {HINTS[hint]}"
    foreign = re.search(r"[\u4e00-\u9fff][,.;:?!()]", HINTS[hint]["zh"])
    assert not foreign, f"the hint {hint} has Chinese punctuation in Chinese, got {foreign[0]}"


@pytest.mark.parametrize(("question", "hint", "fn"), WRONG, ids=named(WRONG))
def test_messages_are_whole_and_show_no_solution(question, hint, fn, monkeypatch):
    found = []
    monkeypatch.setattr(runner, "message", lambda *given: found.append(given) or message(*given))
    with pytest.raises(AssertionError) as caught:
        check = getattr(homework, f"check_{question}")
        check(fn, language="zh", time_limit=0.3 if hint == "time" else 10.0)
    # the answer is slow and the words are not: one run of it has both messages
    ((name, mistake, language),) = found
    said = {language: message(name, mistake, language) for language in LANGUAGES}
    assert language == "zh" and str(caught.value) == said["zh"]
    for language, text in said.items():
        assert text.startswith(f"{question}: ")
        assert "{" not in text and "None" not in text.replace("returns None", "").replace("返回了 None", "")
        assert bool(re.search(r"[\u4e00-\u9fff]", text)) is (language == "zh")
    # a traceback shows the lines around each of its frames: none of them may be of a check's own module
    whole = [*traceback.format_exception(caught.value), said["en"]]
    assert not re.search(r"homework/(losses|dynamics|slower|language|compare)\.py", "".join(whole))
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_message_shows_the_call_that_can_be_repeated():
    def npo_loss(logp, ref_logp, beta):
        return np.mean(np.logaddexp(0, beta * (logp - ref_logp)))

    with pytest.raises(Wrong) as caught:
        check_npo_loss(npo_loss, language="en")
    _, call = str(caught.value).split("\n")
    expression, value = re.fullmatch(r"(npo_loss\(.*\)) returned (.*)\.", call).groups()
    repeated = eval(re.sub(r"(\[[^]]*\])", r"np.array(\1)", expression), {"np": np, "npo_loss": npo_loss})
    assert f"{repeated:.6g}" == value


def test_an_exception_is_shown_with_its_line():
    def ga_loss(logp):
        return np.mean(logp) / undefined_name  # noqa: F821

    with pytest.raises(Wrong, match=r"NameError.*in line \d+ of test_homework.py: `return np.mean\(logp\) / undefined"):
        check_ga_loss(ga_loss, language="en")


def test_language_follows_the_environment(monkeypatch):
    for language, word in (("zh", "尚未作答"), ("en", "not attempted")):
        monkeypatch.setenv(VARIABLE, language)
        with pytest.raises(Wrong, match=word):
            check_ga_loss(next(fn for _, hint, fn in WRONG if hint == "not-attempted"))


def test_an_endless_answer_is_stopped():
    turns = [0]

    def ga_loss(logp):
        while True:
            turns[0] += 1

    assert hint_for("ga_loss", ga_loss, time_limit=0.2) == "time"
    stopped_at = turns[0]
    time.sleep(0.1)
    assert turns[0] == stopped_at > 0


def test_after_the_time_is_up_nothing_is_printed():
    """Neither a traceback of the thread nor a warning of Python's."""
    code = """
        import time, warnings
        from npo_tutorial import homework
        warnings.simplefilter("error")
        def ends(logp):
            time.sleep(0.03)  # ends at about the time at which it is stopped
        def does_not_end(logp):
            while True:
                pass
        for answer in (ends, does_not_end) * 10:
            try:
                homework.check_ga_loss(answer, time_limit=0.03)
            except homework.Wrong:
                pass
        time.sleep(0.2)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, timeout=120)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_an_answer_that_cannot_be_stopped_does_not_hold_the_caller_up():
    until = threading.Event()

    def ga_loss(logp):
        while not until.is_set():
            try:
                time.sleep(0.01)
            except BaseException:
                continue

    try:
        assert hint_for("ga_loss", ga_loss, time_limit=0.2) == "time"
    finally:
        until.set()


def test_a_thread_that_is_stopped_late_ends_silently(monkeypatch):
    """The exception that stops it may arrive when the answer has just returned."""

    class Writers(set):
        def discard(self, thread):
            late.set()
            raise TimeUp

    late, complaints = threading.Event(), []
    monkeypatch.setattr("sys.unraisablehook", complaints.append)
    monkeypatch.setattr("threading.excepthook", complaints.append)
    output = Output("")
    output.writers = Writers()
    assert run_apart(lambda: 1, 60, output) == 1
    assert late.wait(60)
    time.sleep(0.1)
    assert not complaints


def test_only_the_time_of_the_answer_counts(monkeypatch):
    """What the check computes and imports does not: in a fresh process PyTorch's first optimizer takes seconds."""

    def slowly(function):
        return lambda *args, **kwargs: time.sleep(0.6) or function(*args, **kwargs)

    monkeypatch.setattr("npo_tutorial.homework.losses._logp", slowly(losses._logp))
    assert hint_for("npo_loss", first_right("npo_loss"), time_limit=0.5) == ""
    monkeypatch.setattr("torch.optim.SGD", slowly(torch.optim.SGD))
    assert hint_for("npo_step", first_right("npo_step"), time_limit=0.5) == ""


def test_the_calls_of_an_answer_share_its_time():
    right = first_right("npo_loss")
    slow = lambda *args, **kwargs: time.sleep(0.2) or right(*args, **kwargs)  # noqa: E731
    assert hint_for("npo_loss", slow, time_limit=0.5) == "time"
    assert hint_for("npo_loss", slow, time_limit=60) == ""


def test_a_time_limit_may_be_longer_than_a_lock_can_wait():
    assert hint_for("ga_loss", np.mean, time_limit=1e300) == ""


@pytest.mark.parametrize("stream", ["out", "err"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_prints_without_end_is_cut_and_told_so(stream, language, capsys):
    def ga_loss(logp):
        for number in range(1000):
            print(number, "?" * number, file=getattr(sys, f"std{stream}"))
        return np.mean(logp)

    before = sys.stdout, sys.stderr
    check_ga_loss(ga_loss, language=language)
    assert (sys.stdout, sys.stderr) == before
    printed = getattr(capsys.readouterr(), stream)
    assert printed.startswith("0 \n1 ?\n2 ??") and len(printed) < PRINTED + 100
    notice = {
        "en": "[ga_loss prints more than 4000 characters: the rest is left out]",
        "zh": "[ga_loss 输出了超过 4000",
    }
    assert printed.count(notice[language]) == 1 and printed.count("[") == 1


def test_what_an_answer_prints_is_shown_as_long_as_it_is_short(capsys):
    def ga_loss(logp):
        print("n =", len(logp), flush=True)
        sys.stdout.writelines(["and", " so on\n"])
        return np.mean(logp)

    check_ga_loss(ga_loss)
    assert capsys.readouterr().out == "n = 5\nand so on\nn = 4\nand so on\n"


def test_an_answer_that_is_left_behind_prints_nothing_more(capsys):
    until = threading.Event()

    def ga_loss(logp):
        while not until.is_set():
            try:
                print("?" * 100)
                time.sleep(0.005)  # here it is told to stop
            except BaseException:
                continue

    ended = threading.Thread(target=lambda: until.wait(60))
    ended.start()
    before = sys.stdout, sys.stderr
    try:
        assert hint_for("ga_loss", ga_loss, time_limit=0.1) == "time"
        capsys.readouterr()
        time.sleep(0.1)
        print("the next cell")
        assert capsys.readouterr().out == "the next cell\n"
    finally:
        until.set()
        ended.join()
        sys.stdout, sys.stderr = before


def test_a_check_in_a_thread_leaves_what_others_print_as_it_is(capsys):
    def ga_loss(logp):
        print("?" * 10_000)
        time.sleep(0.2)
        return np.mean(logp)

    thread = threading.Thread(target=check_ga_loss, args=(ga_loss,))
    thread.start()
    time.sleep(0.1)
    print("!" * 10_000)
    thread.join()
    assert capsys.readouterr().out.count("!") == 10_000


@pytest.fixture
def without_threads(monkeypatch):
    """Python as in WebAssembly."""

    def start(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", start)
    monkeypatch.setattr("threading.Thread.start", start)


@pytest.mark.parametrize("question", QUESTIONS)
def test_checks_work_where_there_are_no_threads(question, without_threads):
    answers = [entry for entry in [*WRONG, *((name, "", fn) for name, fn in RIGHT)] if entry[0] == question]
    for _, hint, fn in answers:
        if hint != "time":
            assert hint_for(question, fn) == hint


def test_where_there_are_no_threads_the_keyboard_still_interrupts(without_threads):
    def ga_loss(logp):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_ga_loss(ga_loss)


def test_an_interrupt_of_the_answers_own_does_not_stop_the_notebook():
    def ga_loss(logp):
        raise KeyboardInterrupt

    assert hint_for("ga_loss", ga_loss) == "raised"


@pytest.mark.skipif(sys.platform == "win32", reason="a lock of Windows cannot be interrupted")
def test_the_keyboard_interrupts_a_check():
    code = """
        import os, signal, threading
        from npo_tutorial import homework
        # a shell that runs the tests in the background lets its processes ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def ga_loss(logp):
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                pass
        # often, because the signal may come just before the check begins to wait
        for _ in range(20):
            try:
                homework.check_ga_loss(ga_loss, time_limit=60)
            except KeyboardInterrupt:
                print(end="interrupted ")
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, timeout=50)
    assert (ran.stdout.split(), ran.stderr) == ([b"interrupted"] * 20, b"")


def test_a_rejection_survives_pickling():
    again = pickle.loads(pickle.dumps(Wrong("ga_loss: the sign", "sign")))
    assert (type(again), str(again), again.hint) == (Wrong, "ga_loss: the sign", "sign")


def test_a_message_can_be_printed_whatever_the_exception_says():
    def ga_loss(logp):
        raise ValueError("half a character: \ud800")

    with pytest.raises(Wrong) as caught:
        check_ga_loss(ga_loss)
    assert str(caught.value).encode("utf-8")


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name not in ("slower_loss", "npo_step")])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_mistakes_give_the_same_result(question, seed, monkeypatch):
    """Otherwise the hint of the first would be given for the second."""
    compared = []

    def look(result, expected, mistakes, **options):
        given = [("right", expected)]
        for hint, wrong in mistakes.items():
            given += [(hint, value) for value in (wrong if isinstance(wrong, list) else [wrong])]
        for (hint, value), (other, same) in itertools.combinations(given, 2):
            assert hint == other or not close(value, same), f"{hint} and {other} both give {value}"
        compared.append(given)

    for module in (losses, dynamics, language_questions):
        monkeypatch.setattr(module, "compare", look)
    assert hint_for(question, first_right(question), seed=seed) == ""
    assert compared


def test_checks_work_in_any_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(hint_for("ga_loss", lambda logp: -np.mean(logp))))
    thread.start()
    thread.join()
    assert found == ["sign"]


@pytest.mark.parametrize("check", CHECKS)
def test_bad_arguments(check):
    check = getattr(homework, check)
    with pytest.raises(TypeError, match=r"fn must be the function .* itself, got float 0.5"):
        check(0.5)
    with pytest.raises(ValueError, match="language must be one of 'en', 'zh', got 'fr'"):
        check(print, language="fr")
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        check(print, seed=-1)
    with pytest.raises(ValueError, match="time_limit must be positive and finite, got 0"):
        check(print, time_limit=0)


@pytest.mark.parametrize("check", CHECKS)
def test_documentation(check):
    check = getattr(homework, check)
    text = inspect.getdoc(check)
    fn, *options = inspect.signature(check).parameters.values()
    assert (fn.name, fn.kind) == ("fn", fn.POSITIONAL_OR_KEYWORD)
    assert {option.name: option.default for option in options} == {"seed": 0, "language": None, "time_limit": 10.0}
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    for part in (f"``{check.__name__.removeprefix('check_')}(", "Source: ", "Parameters\n", "Raises\n"):
        assert part in text, f"the docstring of {check.__name__} has no {part.strip()!r}"


def test_another_seed_gives_other_cases():
    """An answer learnt by heart passes the check it was learnt from and no other."""
    right = first_right("npo_loss")
    seen = {}

    def writes_down(logp, ref_logp, beta):
        return seen.setdefault((logp.tobytes(), ref_logp.tobytes(), beta), right(logp, ref_logp, beta=beta))

    def remembers(logp, ref_logp, beta):
        return seen.get((logp.tobytes(), ref_logp.tobytes(), beta), 0.0)

    check_npo_loss(writes_down, seed=3)
    check_npo_loss(remembers, seed=3)
    with pytest.raises(Wrong):
        check_npo_loss(remembers, seed=4)


def test_an_error_of_the_check_itself_is_no_hint(monkeypatch):
    monkeypatch.setattr("npo_tutorial.homework.losses._logp", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        check_npo_loss(lambda logp, ref_logp, beta: 0)


def test_without_pytorch_the_questions_on_numpy_work():
    code = """
        import sys
        sys.modules["torch"] = None
        import numpy as np
        from npo_tutorial import homework
        homework.check_ga_loss(lambda logp: np.mean(logp))
        try:
            homework.check_npo_step(print)
        except ImportError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
    assert ran.stdout == "this needs torch: pip install 'npo-tutorial[torch]'\n", ran.stderr


def test_importing_the_checks_does_not_load_pytorch():
    code = "import sys, npo_tutorial.homework; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_step_is_tried_twice_with_plain_gradient_descent_on_all_parameters():
    right = first_right("npo_step")
    seen = []

    def npo_step(model, ref_model, input_ids, labels, optimizer, beta):
        seen.append((type(optimizer), len(optimizer.param_groups[0]["params"])))
        return right(model, ref_model, input_ids, labels, optimizer, beta)

    check_npo_step(npo_step)
    assert seen == [(torch.optim.SGD, 3)] * 2
