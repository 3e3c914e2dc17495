"""python -m npo_tutorial.language evaluate, as a user calls it: the report, its files, one-line errors."""

import json
import re

import pytest
import safetensors.torch
import torch

from npo_tutorial.language import arguments, write_records
from npo_tutorial.language.__main__ import main
from npo_tutorial.language.evaluation import answers, command, measuring
from tests.conftest import nightly
from tests.test_language_attacks import with_adapter
from tests.test_language_evaluate import SETS, make_records
from tests.tiny_language import make_model, make_tokenizer, other_model

pytestmark = pytest.mark.usefixtures("one_thread", "no_progress_bars")
MODELS = {"unlearned": make_model(), "taught": other_model(), "retrained": make_model(3)}
NEEDED = ["--model", "unlearned", "--before", "taught", "--forget", "forget.jsonl"]
SHORT = ["--max-new-tokens", 4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    for name, model in MODELS.items():
        make_tokenizer().save_pretrained(folder / name)
        model.float().save_pretrained(folder / name)
    for name, records in SETS.items():
        write_records(folder / f"{name}.jsonl", records)
    write_records(folder / "one.jsonl", make_records(1))
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NPO_TUTORIAL_LANG", "en")
    return folder


def call(*words):
    main(["evaluate", *map(str, words)])


def failure(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        call(*words)
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    return said[-1].removeprefix(f"{arguments.PROGRAM}: error: ")


def test_everything_is_printed_and_written(here, capsys):
    everything = ["--retrained", "retrained", "--retain", "retain.jsonl", "--held-out", "held_out.jsonl"]
    further = ["--translated", "forget2.jsonl", "--samples", 2, "--four-bits", "--relearning-steps", 1]
    write_records(here / "forget2.jsonl", make_records(4))
    output = ["--html", "report.html", "--json", "report.json", "--language", "zh"]
    call(*NEEDED, *everything, *further, *output, *SHORT)
    said = capsys.readouterr()
    assert said.out.startswith("忘掉了吗？  ") and "这次评测无法回答的问题" not in said.out
    assert re.findall(r"^asking --(\w+) \S+ \(model \d of 3\)$", said.err, re.M) == ["model", "before", "retrained"]
    page = (here / "report.html").read_text("utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="zh-Hans">')
    stored = json.loads((here / "report.json").read_text("utf-8"))
    names = {"forget", "otherwise", "translated", "rounded", "relearned", "control", "retain", "held_out"}
    assert stored["found"]["sets"].keys() == stored["measured"]["model"].keys() == names
    assert stored["made"]["models"] == {"model": "unlearned", "before": "taught", "retrained": "retrained"}
    assert stored["made"]["options"]["samples"] == 2 and stored["made"]["versions"].keys() >= {"torch"}
    assert len(stored["measured"]["model"]["forget"]["sampled_rouge"][0]) == 2


def test_without_a_retrained_model_the_report_says_what_it_cannot_answer(capsys):
    call(*NEEDED, *SHORT)
    said = capsys.readouterr().out
    assert said.startswith("Is it forgotten?  Without a retrained model you cannot tell")
    for option in ("--retrained", "--held-out", "--retain", "--samples", "--translated", "--four-bits"):
        assert f"{option}." in said or f"{option} and " in said, option
    assert "lower" in said or "higher" in said or "no change" in said


def test_help_is_the_commands_own_and_names_every_option(capsys):
    for words in (["--help"], [*NEEDED, "-h"]):
        with pytest.raises(SystemExit) as ended:
            call(*words)
        assert not ended.value.code
        assert capsys.readouterr().out == f"{command.HELP}\n"
    options = {arguments.as_option(name) for name in vars(command.parse(NEEDED))}
    assert options == set(re.findall(r"--[a-z-]+", command.HELP)) - {"--help"}
    assert max(map(len, command.HELP.splitlines())) <= 100
    # the defaults that it tells
    for name, value in command.DEFAULTS.items():
        if value and name not in ("prompt_field", "response_field", "level"):
            assert re.search(
                rf"{arguments.as_option(name)} [^-]*\(default: {value:g}\)" if name != "dtype" else value, command.HELP
            ), name
    assert f"{arguments.PROGRAM} evaluate --help" in arguments.HELP


def bad_file(here, line):
    records = make_records(3)
    (here / "bad.jsonl").write_text("\n".join([json.dumps(records[0]), line]) + "\n", "utf-8")
    return ["--model", "unlearned", "--before", "taught", "--forget", "bad.jsonl"]


RELEARN = [*NEEDED, "--retain", "retain.jsonl", "--relearning-steps", "3"]
WRONG = {
    "nothing": ([], "--model must be given; see --help"),
    "no model before": (["--model", "unlearned"], "--before must be given; see --help"),
    "a misspelt option": ([*NEEDED, "--retraind", "x"], "'--retraind' is not an option: did you mean --retrained.*"),
    "a number": ([*NEEDED, "--samples", "many"], "argument --samples: invalid int value: 'many'"),
    "too few samples": ([*NEEDED, "--samples", "-3"], "--samples must be at least 1, got -3"),
    "level": ([*NEEDED, "--level", "95"], "--level must be between 0 and 1, got 95"),
    "dtype": ([*NEEDED, "--dtype", "int8"], "--dtype must be float32, bfloat16 or auto, got int8"),
    "an unset variable": ([*NEEDED, "--retain", ""], "--retain must not be empty, got ''"),
    "no control": ([*NEEDED, "--relearning-steps", "3"], "--relearning-steps needs --retain, .*"),
    "the same file": ([*NEEDED, "--retain", "forget.jsonl"], "--retain must be another file than --forget, got .*"),
    "no such file": ([*NEEDED[:5], "no.jsonl"], r"--forget must be a file that can be read, got no.jsonl \(No such .*"),
    "a folder": ([*NEEDED[:5], "taught"], r"--forget must be a file that can be read, got taught \(it is a folder\)"),
    "no other file": (
        [*NEEDED, "--held-out", "no.jsonl"],
        "--held-out must be a file that can be read, got no.jsonl .*",
    ),
    "a field": (
        [*NEEDED, "--prompt-field", "qestion"],
        "--prompt-field must be a field of forget.jsonl, got 'qestion', .*",
    ),
    "no samples": ([*NEEDED, "--samples", "0"], "--samples must be at least 1, got 0"),
    "no steps": ([*RELEARN[:-1], "0"], "--relearning-steps must be at least 1, got 0"),
    "a seed": ([*NEEDED, "--seed", 2**32], "--seed must be at most 4294967295, got 4294967296"),
    "a huge batch": ([*NEEDED, "--batch-size", 10**25], "--batch-size must be at most 4294967295, got 1000.*"),
    "language": ([*NEEDED, "--language", "fr"], "--language must be en or zh, got fr"),
    "not UTF-8": ([*NEEDED, "--system", "\udcff"], "--system must be in UTF-8, got .*: use other characters"),
    "a rate without steps": (
        [*NEEDED, "--learning-rate", "0.1"],
        "--learning-rate must be left out without --relearning-steps, got 0.1",
    ),
    "retrained is the model": (
        [*NEEDED, "--retrained", "./unlearned/"],
        "--retrained must be another model than --model, got ./unlearned/ as both",
    ),
    "retrained is the model before": (
        [*NEEDED, "--retrained", "taught"],
        "--retrained must be another model than --before, got taught as both",
    ),
    "the page is the data": (
        [*NEEDED, "--html", "./forget.jsonl"],
        "--html must be another file than --forget, got forget.jsonl",
    ),
    "one file for both": (
        [*NEEDED, "--html", "new", "--json", "./new"],
        "--json must be another file than --html, got new",
    ),
    "a folder for the page": (
        [*NEEDED, "--html", "taught"],
        "--html must be a file in a folder that exists, got taught",
    ),
    "a place that cannot be written": (
        [*NEEDED, "--json", "/proc/report.json"],
        "--json /proc/report.json cannot be written .*; there is no such file now",
    ),
    "no such model": (["--before", "./nowhere", *NEEDED[:2], *NEEDED[4:]], "--before must be a folder that exists.*"),
    "no such model retrained": ([*NEEDED, "--retrained", "./no"], "--retrained must be a folder that exists .*"),
    "no folder for the page": ([*NEEDED, "--html", "no/report.html"], "--html must be a file in a folder .*"),
    "learning rate": (
        [*RELEARN, "--learning-rate", "0"],
        "--learning-rate must be positive and finite, got 0.0",
    ),
}


@pytest.fixture
def no_weights(here, monkeypatch):
    """Fails if weights are loaded, or if files are made, changed or removed."""

    def fail(*arguments, **options):
        raise AssertionError("weights are loaded")

    def files():
        return {path: path.stat().st_mtime_ns for path in here.rglob("*")}

    monkeypatch.setattr("npo_tutorial.language.models.load", fail)
    before = files()
    yield
    assert files() == before


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_one_line_in_the_words_of_the_command_before_weights_are_loaded(no_weights, capsys, case):
    words, message = WRONG[case]
    assert re.fullmatch(message, failure(capsys, *words))


LINES = {
    "no answer": ('{"prompt": "a"}', 'bad.jsonl, line 2: the field "response" is missing, .*'),
    "no JSON": ("{", "bad.jsonl, line 2: not JSON .*"),
    "no false answers": (
        '{"prompt": "a", "response": " b", "paraphrased_prompt": "c", "paraphrased_response": " d"}',
        'bad.jsonl, line 2: "false_responses" must be a non-empty list of texts, because .*, got None',
    ),
    "an answer without words": (
        json.dumps(make_records(1)[0] | {"response": " ?!"}),
        "bad.jsonl, line 2: an answer must contain a word, or ROUGE-L has no value",
    ),
    "half a character": ('{"prompt": "a\\ud800", "response": " b"}', "bad.jsonl, line 2: .* half a character, .*"),
    "too long": (
        json.dumps(make_records(1)[0] | {"paraphrased_prompt": "x" * 200}),
        "bad.jsonl, line 2 has 2.. tokens, but the model has only 128 positions: .*",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_bad_records_are_named_with_file_and_line_before_weights_are_loaded(here, capsys, monkeypatch, case):
    line, message = LINES[case]
    words = bad_file(here, line)
    monkeypatch.setattr("npo_tutorial.language.models.load", lambda *_, **__: pytest.fail("weights are loaded"))
    assert re.fullmatch(message, failure(capsys, *words))


def test_a_field_that_some_records_have_must_be_in_all(here, capsys):
    """As much in the first as in any other."""
    lines = ['{"prompt": "a", "response": " b"}', *map(json.dumps, make_records(2))]
    (here / "bad.jsonl").write_text("\n".join(lines), "utf-8")
    said = failure(capsys, *NEEDED[:5], "bad.jsonl")
    assert said == 'bad.jsonl, line 1: "paraphrased_prompt" must be a text, because other records have one, got None'


def test_a_set_that_is_too_small_is_named_with_its_option_and_file(here, capsys, no_weights):
    said = failure(capsys, *NEEDED, "--retain", "one.jsonl")
    assert said == "--retain must have at least 2 records for an interval, got 1 in one.jsonl"


def leaves(values):
    """All texts and numbers in nested lists and dicts."""
    if not isinstance(values, (list, dict)):
        return [values]
    return [x for part in (values.values() if isinstance(values, dict) else values) for x in leaves(part)]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_is_asked_as_the_model_that_it_makes(here):
    model = with_adapter()
    # its base is "unlearned"
    model.peft_config["default"].base_model_name_or_path = "unlearned"
    model.save_pretrained("adapter")
    model.merge_and_unload().save_pretrained("merged")
    make_tokenizer().save_pretrained("merged")
    measured = {}
    for name in ("adapter", "merged", "unlearned"):
        call("--model", name, *NEEDED[2:], "--json", "report.json", *SHORT)
        measured[name] = leaves(json.loads((here / "report.json").read_text("utf-8"))["measured"]["model"])
    assert measured["adapter"] == pytest.approx(measured["merged"], abs=1e-4)
    assert measured["adapter"] != pytest.approx(measured["unlearned"], abs=1e-2)


def test_references_for_another_model_are_not_used(here, capsys):
    write_records(here / "refs.jsonl", [r | {"ref_logp": -1.0, "ref_tokens": 99} for r in make_records(3)])
    call(*NEEDED[:5], "refs.jsonl", *SHORT)
    assert "Is it forgotten?" in capsys.readouterr().out


def test_files_may_have_their_own_names_or_ours(here, capsys):
    write_records(here / "theirs.jsonl", [{"question": f"{i}?", "response": " a"} for i in range(2)])
    call(*NEEDED, "--retain", "theirs.jsonl", "--prompt-field", "question", *SHORT)
    assert "The retain set (2 questions)" in capsys.readouterr().out


def test_files_are_written_even_if_the_reader_of_the_text_is_gone(here, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("builtins.print", lambda *x, file=None, **options: None if file else fail())
    with pytest.raises(SystemExit):
        call(*NEEDED, "--json", "kept.json", *SHORT)
    assert json.loads((here / "kept.json").read_text("utf-8"))["found"]


def test_a_report_that_cannot_be_written_is_printed_all_the_same(here, capsys):
    with pytest.raises(SystemExit) as ended:
        call(*NEEDED, "--html", "/dev/full", "--json", "other.json", *SHORT)
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out.startswith("Is it forgotten?") and (here / "other.json").is_file()
    assert "error: --html /dev/full cannot be written (No space left on device)" in said.err


# ----- answers that are kept


@pytest.fixture
def asked(monkeypatch):
    """The models that were asked, in order."""
    found, ask = [], measuring.ask

    def note(model, *arguments, **options):
        found.append(model)
        return ask(model, *arguments, **options)

    monkeypatch.setattr(measuring, "ask", note)
    return found


KEPT = [*NEEDED, "--retrained", "retrained", *SHORT]


def test_a_run_that_failed_at_its_last_model_goes_on_and_its_report_is_the_same(here, capsys, asked, monkeypatch):
    with monkeypatch.context() as patch:
        load = command._load
        patch.setattr(
            command, "_load", lambda *x: load(*x) if x[1] != "retrained" else (_ for _ in ()).throw(OSError())
        )
        with pytest.raises(SystemExit):
            call(*KEPT, "--answers", "new/kept")
    assert len(asked) == 2 and len(list((here / "new/kept").iterdir())) == 2
    capsys.readouterr()
    call(*KEPT, "--answers", "new/kept", "--json", "gone-on.json")
    said = capsys.readouterr()
    assert len(asked) == 3 and "asking --retrained retrained (model 3 of 3)" in said.err
    assert re.search(
        r"^--before taught \(model 2 of 3\) was asked before: new.kept.taught-\w{16}\.json$", said.err, re.M
    )
    call(*KEPT, "--json", "at-once.json")
    assert len(asked) == 6 and capsys.readouterr().out == said.out
    assert (here / "gone-on.json").read_bytes() == (here / "at-once.json").read_bytes()


def test_of_a_second_model_only_that_one_is_asked(here, capsys, asked):
    make_tokenizer().save_pretrained(here / "second")
    make_model(7).float().save_pretrained(here / "second")
    call(*KEPT, "--answers", "several")
    call("--model", "second", *KEPT[2:], "--answers", "several")
    assert len(asked) == 4
    # a file is found by what is in a model's folder and by the folder's name, wherever it is
    (here / "moved").mkdir()
    (here / "second").rename(here / "moved/second")
    call("--model", "moved/second/", *KEPT[2:], "--answers", "several")
    assert len(asked) == 4


def test_one_model_in_two_roles_is_asked_once(here, capsys, asked):
    call("--model", "taught", *NEEDED[2:], *SHORT, "--answers", "twice")
    assert len(asked) == 1


def change_weights(here, patch):
    file = here / "changing/model.safetensors"
    weights = safetensors.torch.load_file(file)
    next(iter(weights.values()))[0, 0] += 1
    safetensors.torch.save_file(weights, file, {"format": "pt"})


def change_ends(here, patch):
    file = here / "changing/generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"eos_token_id": 5}), "utf-8")


def change_tokenizer(here, patch):
    tokenizer = make_tokenizer(chat=True)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(5)
    tokenizer.save_pretrained(here / "changing")


def change_records(here, patch):
    write_records(here / "changing.jsonl", [*SETS["forget"][:-1], SETS["forget"][-1] | {"prompt": "What else?"}])


def change_false_answers(here, patch):
    changed = [record | {"false_responses": record["false_responses"][::-1]} for record in SETS["forget"]]
    write_records(here / "changing.jsonl", changed)


CHANGES = {
    "nothing": (None, [], False),
    "the seed": (None, ["--seed", 1], True),
    "samples": (None, ["--samples", 1], True),
    "numbers": (None, ["--dtype", "bfloat16"], True),
    "the prompt": (None, ["--system", "Be brief."], True),
    "intervals only": (None, ["--level", 0.5], False),
    "weights": (change_weights, [], True),
    "the end of answers": (change_ends, [], True),
    "the tokenizer": (change_tokenizer, [], True),
    "records": (change_records, [], True),
    "false answers": (change_false_answers, [], True),
    "the device": (lambda here, patch: patch.setattr(answers, "_device", lambda: "cuda"), [], True),
    "a library": (lambda here, patch: patch.setattr(answers, "version", lambda name: "0"), [], True),
    "the code": (lambda here, patch: patch.setattr(answers, "LANGUAGE", here), [], True),
}


@pytest.fixture(scope="module")
def answered():
    """What some model answers."""
    return measuring.ask(MODELS["unlearned"], make_tokenizer(), {"forget": SETS["forget"]}, max_new_tokens=4)


# by day no model is really asked: what counts is whether it would be
@pytest.mark.parametrize("at_once", [True, *nightly(False)], ids=["at once", "really asked"])
@pytest.mark.parametrize("change, words, is_asked", CHANGES.values(), ids=CHANGES)
def test_answers_are_kept_only_for_the_same_question_to_the_same_model(
    here, capsys, asked, answered, tmp_path, monkeypatch, change, words, is_asked, at_once
):
    if at_once:
        monkeypatch.setattr(command, "_ask", lambda *given: asked.append(given) or answered)
    make_tokenizer(chat=True).save_pretrained(here / "changing")
    make_model().float().save_pretrained(here / "changing")
    write_records(here / "changing.jsonl", SETS["forget"])
    given = ["--model", "changing", "--before", "changing", "--forget", "changing.jsonl", *SHORT, "--answers", tmp_path]
    call(*given)
    assert len(asked) == 1
    if change:
        change(here, monkeypatch)
    call(*given, *words)
    assert len(asked) == 1 + is_asked


def test_a_damaged_file_of_answers_is_named(here, capsys, asked, tmp_path):
    call(*NEEDED, *SHORT, "--answers", tmp_path)
    (file,) = tmp_path.glob("unlearned-*.json")
    for content in ('{"answers": {"forg', "null", "[]", "{}", '{"answers": {}}', '{"answers": null}'):
        file.write_text(content, "utf-8")
        said = failure(capsys, *NEEDED, *SHORT, "--answers", tmp_path)
        assert said.startswith(f"--answers: {file} cannot be read (") and said.endswith("): delete it"), content
    assert len(asked) == 2


def test_a_place_where_answers_cannot_be_kept_is_named_at_the_start(here, capsys, no_weights, monkeypatch):
    said = failure(capsys, *NEEDED, "--answers", "forget.jsonl")
    assert said == "--answers must be a folder, got the file forget.jsonl"

    def fail(*arguments, **options):
        raise PermissionError("taught/answers.json cannot be written (Permission denied); there is no such file now")

    monkeypatch.setattr(answers, "replace_file", fail)
    said = failure(capsys, *NEEDED, "--answers", "taught")
    assert said == (
        "--answers must be a folder in which files can be written, got taught (taught/answers.json cannot be written "
        "(Permission denied); there is no such file now)"
    )


def test_a_full_disk_is_said_at_once_and_costs_no_report(here, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("full/x.json cannot be written (No space left on device); there is no such file now")

    monkeypatch.setattr(answers, "write_answers", fail)
    with pytest.raises(SystemExit) as ended:
        call(*NEEDED, *SHORT, "--answers", "full")
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out.startswith("Is it forgotten?")
    sentence = "--answers full/x.json cannot be written (No space left on device)"
    assert said.err.index(sentence) < said.err.index("asking --before") < said.err.index(f"error: {sentence}")


def test_without_memory_the_remedies_are_those_of_this_command(capsys, monkeypatch):
    def fail(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr("npo_tutorial.language.evaluation.measuring.ask", fail)
    assert "try --batch-size 1, --dtype bfloat16" in failure(capsys, *NEEDED)


def test_models_must_have_one_tokenizer(here, capsys):
    make_model().float().save_pretrained(here / "other")
    make_tokenizer(chat=True).save_pretrained(here / "other")
    said = failure(capsys, "--model", "unlearned", "--before", "other", "--forget", "forget.jsonl")
    assert said == "--before must have the tokenizer and the chat template of --model, got other"


def test_the_remedy_of_another_program_keeps_its_option():
    said = "--model must be a folder, or use --model FOLDER after modelscope download --model name"
    expected = "--before must be a folder, or use --before FOLDER after modelscope download --model name"
    assert command._of_role(said, "before") == expected


def test_damaged_weights_are_named(here, capsys):
    model = make_model().float()
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    model.save_pretrained(here / "damaged")
    make_tokenizer().save_pretrained(here / "damaged")
    said = failure(capsys, "--model", "damaged", *NEEDED[2:])
    assert said.startswith("--model must have finite weights, got damaged with nan or inf in lm_head.weight: copy it")
