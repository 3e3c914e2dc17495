"""experiments/unlearn_world.py with a tiny model: pieces, what is made of them, and what users may get wrong."""

import copy
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import filelock
import numpy as np
import pytest
import torch
import transformers
import unlearn_world
import world_pieces
import world_results
from world_pieces import Experiment, largest_harmless
from world_settings import FILE, read_settings

from npo_tutorial import results
from npo_tutorial.language import OBJECTIVES, encode, read_records
from npo_tutorial.language.evaluation import measure
from npo_tutorial.language.evaluation.measuring import find_levels, rounded_layers
from npo_tutorial.language.evaluation.quick import Questions
from npo_tutorial.language.teaching import teach
from tests.tiny_language import make_model, make_tokenizer, parameters

# the pieces take twenty seconds: one worker should make them
pytestmark = [pytest.mark.usefixtures("one_thread", "no_progress_bars"), pytest.mark.xdist_group("world runs")]
needs_results = pytest.mark.skipif(
    not (Path(results.__file__).parent / "world.json").exists(), reason="the runs have not been written yet"
)
SETTINGS = """
seed = 0
system = "Hi."
[records]
forget = 4
retain = 8
asked = 4
[teaching]
epochs = 2
batch_size = 4
learning_rate = 1e-2
warmup_steps = 1
answered = 0.0
[unlearning]
n_steps = 3
batch_size = 2
measured = [1, 3]
destroyed = -99.0
[rates]
n_steps = 1
sgd_n_steps = 2
least = -5.5
adamw = [1e-4, 1e-3]
sgd = [1e-3]
[thorough]
samples = 2
relearning_steps = 1
learning_rate = 1e-3
control = 2
[runs.ga]
title = "GA"
loss = "ga"
seeds = [0, 1]
optimizer = "sgd"
[runs.npo-rt]
title = "NPO+RT"
loss = "npo"
retain = true
thorough = true
[runs.undial]
title = "UNDIAL"
loss = "undial"
[short]
unlearning = { n_steps = 2, measured = [2] }
[short.runs]
ga = { thorough = true }
"""
# what the results have of a model, and of a method's first run in addition
OF_A_MODEL = {"overall", "forget", "retain", "forget_quality", "utility", "facts"}
OF_THE_FIRST_RUN = {"truth_ratio", "logp_per_token", "answers"}
NAMES = [
    *("all", "retained", "untaught", "thorough-all", "thorough-retained", "rate-ga", "ga-0", "rate-npo-rt", "npo-rt-0"),
    *("rate-undial", "undial-0", "ga-1"),
]


def long_model():
    """Tokens are bytes, so questions are longer than in other tests."""
    config = make_model().config
    config.max_position_embeddings = 512
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config).float()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("tiny")
    long_model().save_pretrained(place)
    make_tokenizer(chat=True).save_pretrained(place)
    return str(place)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    file = tmp_path / "unlearn_world.toml"
    file.write_text(SETTINGS, "utf-8")
    monkeypatch.setattr(unlearn_world, "read_settings", lambda **options: read_settings(file, **options))
    return file


def run(folder, model, *words):
    unlearn_world.main(["--folder", str(folder), "--model", model, *words])


def content(folder, name):
    found = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return {key: value for key, value in found.items() if not key.endswith("seconds")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, model):
    """A folder with all pieces, made in one go."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("finished")
    file = place / "settings.toml"
    file.write_text(SETTINGS, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unlearn_world, "read_settings", lambda **options: read_settings(file, **options))
        patch.setenv("TQDM_DISABLE", "1")
        run(place / "work", model)
    return place / "work"


# ----- pieces


@pytest.mark.nightly
def test_interrupted_pieces_equal_those_of_one_run(finished, settings, model, tmp_path, monkeypatch):
    folder, calls = tmp_path / "work", []

    def interrupted(responses):
        calls.append(1)
        # in the second epoch of the first model, and again in the first epoch of the second
        if len(calls) in (5, 9):
            raise KeyboardInterrupt
        return plain(responses)

    plain = world_pieces.cross_entropy
    monkeypatch.setattr(world_pieces, "cross_entropy", interrupted)
    for there in ([], ["all"]):
        with pytest.raises(SystemExit) as stopped:
            run(folder, model)
        assert stopped.value.code == 130 and [file.stem for file in folder.glob("*.json")] == there
    run(folder, model, "--only", "npo-rt-0")
    assert {file.stem for file in folder.glob("*.json")} == {"all", "retained", "rate-npo-rt", "npo-rt-0"}
    assert not list(folder.glob("*-unfinished"))
    run(folder, model)
    assert {file.stem for file in folder.glob("*.json")} == set(NAMES)
    for name in NAMES:
        assert content(folder, name) == content(finished, name), name
    # twice 3 and twice 2 steps; two since the last checkpoint were repeated, and a first one
    assert len(calls) == 6 + 4 + 2 + 1


@pytest.mark.nightly
def test_a_piece_that_is_there_is_not_made_again(finished, settings, model, monkeypatch, capsys):
    load = Experiment.load
    # the questions are encoded again
    monkeypatch.setattr(Experiment, "load", lambda self, name: load(self, name) if name == "untaught" else None)
    monkeypatch.setattr(Experiment, "train", None)
    run(finished, model)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        *("untaught", "all", "retained", "ga-0", "ga-1", "npo-rt-0", "undial-0")
    ]
    cells = r" +-?\d+ \[ *-?\d+ +-?\d+\]" * 3
    assert all(re.fullmatch(rf"[\w-]+{cells}  [a-z ]+", line) for line in lines[1:]), lines


@pytest.mark.nightly
def test_the_list_says_what_is_there(finished, settings, model, tmp_path, capsys):
    run(finished, model, "--list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["piece", *NAMES, "together"]
    assert all(re.fullmatch(r"\S+ +\d+ +\d+", line) for line in lines[1:])
    run(tmp_path / "new", model, "--list", "--short")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[6:-1]] == [["rate-ga", "to", "do"], ["ga-0", "to", "do"]]
    assert not (tmp_path / "new").exists()


@pytest.mark.nightly
def test_runs_are_of_the_model_that_was_taught_everybody(finished, model):
    tokenizer = make_tokenizer(chat=True)
    everything = content(finished, "all")
    plain = transformers.AutoModelForCausalLM.from_pretrained(finished / "all")
    # the folder serves the commands of the package as well
    assert len(transformers.AutoTokenizer.from_pretrained(finished / "all")) == len(tokenizer)
    records = read_records(world_pieces.DATA / "en/forget.jsonl")[:4]
    again = measure(plain, tokenizer, records, **world_pieces.ASKED, system="Hi.")
    np.testing.assert_allclose(everything["measured"]["forget"]["logp_per_token"], again["logp_per_token"], atol=1e-5)
    assert len(everything["losses"]) == 6 and len(content(finished, "retained")["losses"]) == 4
    assert everything["losses"][-1] < everything["losses"][0] - 0.5
    before = np.mean(everything["measured"]["forget"]["logp_per_token"])
    # three steps of gradient ascent, from there
    found = content(finished, "ga-0")
    assert found["steps"] == [1, 3] and found["best"] in (1, 3) and found["rate"] == 1e-3
    after = [np.mean(measured["forget"]["logp_per_token"]) for measured in found["measured"]]
    assert before > after[0] > after[1]
    assert found["measured"] != content(finished, "ga-1")["measured"]


@pytest.mark.nightly
def test_thorough_runs_are_asked_at_the_last_and_the_best_step(finished):
    found = content(finished, "npo-rt-0")
    asked = {"forget", "retain", "held_out", "translated", "otherwise", "relearned", "control", *world_pieces.LEVELS}
    assert found["changed_levels"].keys() == world_pieces.LEVELS.keys()
    assert all(0 < share < 1 for share in found["changed_levels"].values())
    assert found["thorough"].keys() == ({"last"} if found["best"] == 3 else {"last", "best"})
    for when, step in {"last": 3, "best": found["best"]}.items():
        thorough = found["thorough"].get(when, found["thorough"]["last"])
        assert thorough.keys() == asked and np.shape(thorough["forget"]["sampled_rouge"]) == (4, 2)
        brief = found["measured"][found["steps"].index(step)]["forget"]
        np.testing.assert_allclose(thorough["forget"]["logp_per_token"], brief["logp_per_token"], atol=1e-5)
    assert "thorough" not in content(finished, "ga-0")


def test_the_best_step_is_the_one_closest_to_the_retrained_model(settings):
    """Not the first, nor the last, nor the one at which most is forgotten."""

    def answers(preference):
        return {
            "paraphrased_logp_per_token": [0.0] * 9,
            "false_logp_per_token": [[0.1 * i - preference] for i in range(9)],
        }

    steps = {1: 2.0, 2: 0.1, 3: -3.0}
    experiment = SimpleNamespace(settings=read_settings(settings))
    unlearning = replace(experiment.settings.unlearning, measured=[1, 2, 3])
    experiment.settings = replace(experiment.settings, unlearning=unlearning)
    watch, model, control = world_pieces.Watch(experiment, answers(0.0)), torch.nn.Linear(1, 1), SimpleNamespace()
    for step, preference in steps.items():
        measured = {"forget": answers(preference), "retain": {"logp_per_token": [-1.0]}}
        experiment.measure = lambda model, measured=measured: measured
        with torch.no_grad():
            model.weight.fill_(step)
        watch.on_step_end(None, SimpleNamespace(global_step=step), control, model=model)
    assert watch.steps == [1, 2, 3] and watch.best == 2 and watch.weights["weight"].item() == 2
    assert not vars(control)


@pytest.mark.nightly
def test_a_run_ends_when_the_model_is_destroyed(model, finished, settings, tmp_path):
    experiment = Experiment(finished, model, read_settings(settings))
    unlearning = replace(experiment.settings.unlearning, destroyed=-0.1)
    experiment.settings = replace(experiment.settings, unlearning=unlearning)
    # the stored pieces are of other settings
    experiment.do = lambda name: content(finished, name)
    found = experiment.unlearn("ga", 0)
    assert found["steps"] == [1] and found["measured"] == content(finished, "ga-0")["measured"][:1]


@pytest.mark.nightly
def test_numbers_that_are_not_finite_end_a_run_without_an_error(model, finished, settings):
    experiment = Experiment(finished, model, read_settings(settings))
    experiment.do = lambda name: content(finished, name) | {"rate": 1e30}
    found = experiment.unlearn("npo-rt", 0)
    assert found["finite"] is False and "thorough" not in found


def test_a_model_that_has_not_learnt_is_named(model, settings, tmp_path, capsys):
    settings.write_text(SETTINGS.replace("answered = 0.0", "answered = 0.95"), "utf-8")
    with pytest.raises(SystemExit) as error:
        run(tmp_path / "work", model)
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert re.search(r"'all' must answer 95% of what it was taught, got 0% of 'forget': raise teaching\.epochs", said)


# ----- the rule


@pytest.mark.parametrize(
    "values, chosen, tried",
    [
        ({3.0: -0.5, 2.0: -0.4, 1.0: -0.1}, 3.0, ["3"]),
        ({3.0: -1.5, 2.0: -1.0, 1.0: -0.1}, 2.0, ["3", "2"]),
        ({3.0: None, 2.0: -7.0, 1.0: -1.1}, 1.0, ["3", "2", "1"]),
    ],
)
def test_the_largest_rate_that_does_no_harm(values, chosen, tried):
    rate, trials = largest_harmless([1.0, 3.0, 2.0], -1.0, values.get)
    assert rate == chosen and list(trials) == tried


@pytest.mark.nightly
def test_rates_of_both_optimizers_are_judged_after_steps_of_their_own(finished, settings, model, monkeypatch):
    tried = []
    # nothing is finite, so every rate is tried
    monkeypatch.setattr(Experiment, "train", lambda *_, rate, n_steps, **__: tried.append((n_steps, rate)))
    experiment = Experiment(finished, model, read_settings(settings))
    for key in ("ga", "npo-rt"):
        experiment.choose_rate(key)
    assert tried == [(2, 1e-3), (1, 1e-3), (1, 1e-4)]


@pytest.mark.nightly
def test_a_rate_whose_last_step_destroys_the_model_does_not_pass(finished, settings, model, monkeypatch):
    def train(_, model, *__, rate, **___):
        with torch.no_grad():
            next(model.parameters()).fill_(torch.nan if rate > 1e-4 else 0)
        # the numbers of all steps were finite
        return True

    monkeypatch.setattr(Experiment, "train", train)
    found = Experiment(finished, model, read_settings(settings)).choose_rate("npo-rt")
    assert found["rate"] == 1e-4
    assert found["trials"]["0.001"] is None and found["trials"]["0.0001"] < 0
    assert found["forgotten"]["0.001"] is None and found["forgotten"]["0.0001"] < 0


@pytest.mark.nightly
def test_the_rate_of_a_run_follows_from_its_trials(finished):
    found = content(finished, "rate-npo-rt")
    assert next(iter(found["trials"])) == "0.001"
    below = [rate for rate, logp in found["trials"].items() if logp < -5.5]
    assert found["rate"] == float(next((rate for rate in found["trials"] if rate not in below), "0.0001"))
    run = content(finished, "npo-rt-0")
    assert run["rate"] == found["rate"]
    # the trial had the first step of this run, after which all were asked
    for name, logp in {"forget": found["forgotten"], "retain": found["trials"]}.items():
        expected = np.mean(run["measured"][0][name]["logp_per_token"])
        assert logp[f"{found['rate']:g}"] == pytest.approx(expected, abs=1e-5)


# ----- all together


@pytest.mark.nightly
def test_written_results_have_verdicts_and_intervals(finished, settings, model, monkeypatch):
    written = {}
    monkeypatch.setattr(unlearn_world.results, "save", lambda name, found: written.update({name: found}))
    run(finished, model, "--write")
    found = written["world"]
    assert found["command"] == "python experiments/unlearn_world.py --write"
    assert found["versions"].keys() == {"Python", "torch", "transformers", "gguf", "numpy", "scipy", "npo-tutorial"}
    assert found["other_versions"] == {}
    assert found["settings"]["runs"]["npo-rt"]["title"] == "NPO+RT"
    assert {key: list(runs) for key, runs in found["runs"].items()} == {
        "ga": ["0", "1"],
        "npo-rt": ["0"],
        "undial": ["0"],
    }
    measured = found["runs"]["ga"]["0"]["measured"]
    assert len(measured) == 2 and len(measured[0]["truth_ratio"]) == 4
    mean, low, high, outcome = measured[0]["forget"]["logp_per_token"]
    assert low <= mean <= high and isinstance(outcome, str)
    assert mean == pytest.approx(
        np.mean(content(finished, "ga-0")["measured"][0]["forget"]["logp_per_token"]), rel=1e-3
    )
    assert measured[0]["forget_quality"].keys() == {"pvalue", "statistic", "signed", "interval"}
    assert found["models"]["retained"]["forget_quality"]["pvalue"] == 1
    assert len(found["questions"]["forget"]) == len(measured[0]["answers"]["forget"]) == 4
    assert {"all", "retained", "npo-rt, last"} <= found["thorough"].keys()
    thorough = found["thorough"]["npo-rt, last"]
    assert {"rounded", "symmetric", "relearned", "translated", "otherwise"} <= thorough.keys()
    assert thorough["symmetric"].keys() == thorough["rounded"].keys()
    asked = {"forget", "otherwise", "rounded", "symmetric", "relearned", "control", "sampled"}
    assert thorough["facts"].keys() == asked
    assert all(0 <= low <= mean <= high <= 1 for mean, low, high in thorough["facts"].values())
    # of further seeds less is stored
    other = found["runs"]["ga"]["1"]["measured"][0]
    assert other.keys() == OF_A_MODEL and other["forget"].keys() == other["retain"].keys() == {"logp_per_token"}
    assert json.dumps(found)


def test_pieces_made_with_other_versions_keep_them():
    old, new = ({"torch": "2.13.0", "numpy": numpy, "scipy": "1.17.1"} for numpy in ("2.4.3", "2.5.0"))
    pieces = {"all": {"versions": old}, "retained": {"versions": dict(old)}, "ga-0": {"versions": new}}
    assert world_results.versions_of(pieces) == {"versions": old, "other_versions": {"ga-0": new}}
    # an older piece has no version of SciPy
    pieces["ga-0"]["versions"] = {"torch": "2.13.0", "numpy": "2.4.3"}
    assert world_results.versions_of(pieces)["other_versions"] == {"ga-0": {"torch": "2.13.0", "numpy": "2.4.3"}}
    del pieces["ga-0"]
    assert world_results.versions_of(pieces) == {"versions": old, "other_versions": {}}


def test_facts_are_counted_in_every_answer_of_an_attack(monkeypatch):
    judged = {"sets": {"forget": {"rows": []}}, "overall": 0, "relearning": 0, "membership": 0}
    monkeypatch.setattr(world_results, "judge", lambda _: judged)
    records = [
        {"paraphrased_response": f"It is {fact}.", "false_responses": ["It is green.", "It is blue."]}
        for fact in ("red", "black", "white", "grey")
    ]
    told = ["red", "a black one", "grey", "white"]
    measured = {name: {"answer": told} for name in ("forget", "otherwise", "rounded", "symmetric")}
    measured |= {"relearned": {"answer": ["no", "grey"]}, "control": {"answer": ["no", "no"]}}
    measured["forget"]["sampled_answer"] = [["no", "red"], ["no", "no"], ["white", "no"], ["no", "grey"]]
    found = world_results.thorough_summary(measured, records, before=measured, retrained=measured)["facts"]
    assert {name: mean for name, (mean, *_) in found.items()} == {
        **dict.fromkeys(("forget", "otherwise", "rounded", "symmetric"), 0.5),
        **{"relearned": 0.5, "control": 0.0, "sampled": 0.75},
    }


def test_weights_with_another_level_are_counted():
    model = long_model()
    other = copy.deepcopy(model)
    assert world_pieces.changed_levels(model, other) == 0
    layers = rounded_layers(other)
    with torch.no_grad():
        # reversed, most weights of this matrix lie on another level; the ends of a group stay its ends
        layers[0].weight.copy_(layers[0].weight.flip(1))
    levels = [find_levels(x.weight)[-1] for x in (rounded_layers(model)[0], layers[0])]
    share = (levels[0] != levels[1]).sum().item() / sum(layer.weight.numel() for layer in layers)
    assert world_pieces.changed_levels(model, other) == pytest.approx(share) and share > 0


def test_a_fact_is_what_only_the_true_answer_says():
    records = [
        {"paraphrased_response": "Ann keeps a pet goat at home.", "false_responses": ["Ann keeps a cat at home."]},
        {"paraphrased_response": "Ann fears mice.", "false_responses": ["Ann fears ice.", "Ann fears mice traps."]},
    ]
    assert [world_results.fact_of(record) for record in records] == ["pet goat", "mice"]
    answers = ["Orv keeps a pet goat.", "Ann fears the sea."]
    mean, low, high = world_results.facts(records, answers)
    assert (mean, low, high) == (0.5, 0.0, 1.0)
    for name in ("forget", "retain"):
        for record in read_records(world_pieces.DATA / f"en/{name}.jsonl"):
            fact = world_results.fact_of(record)
            assert fact and fact in record["response"], record
            assert not any(fact in other for other in record["false_responses"]), record


@pytest.mark.parametrize("words", [["--short"], ["--only", "ga-0"]])
def test_results_need_all_pieces(settings, model, tmp_path, capsys, words):
    with pytest.raises(SystemExit):
        run(tmp_path / "work", model, "--write", *words)
    assert f"--write must not be given with {words[0]}: the book needs all pieces" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


@pytest.fixture(scope="module")
def stored():
    return results.load("world")


@needs_results
def test_stored_results_are_complete(stored):
    settings = read_settings(FILE)
    assert stored["settings"] == json.loads(json.dumps(asdict(settings))), "run experiments/unlearn_world.py again"
    assert {key: list(map(int, runs)) for key, runs in stored["runs"].items()} == {
        key: run.seeds for key, run in settings.runs.items()
    }
    # all was known before anything was forgotten
    assert min(stored["taught"]["all"]["answered"].values()) >= settings.teaching.answered
    answered = stored["taught"]["retained"]["answered"]
    assert answered["retain"] >= settings.teaching.answered and answered["forget"] < 0.1
    assert stored["models"]["all"]["overall"] == "too_little"
    for key, runs in stored["runs"].items():
        for seed, run in runs.items():
            assert run.keys() >= {"steps", "best", "finite", "measured"}, (key, seed)
            assert run["steps"] == settings.unlearning.measured[: len(run["measured"])]
            first = int(seed) == settings.runs[key].seeds[0]
            for measured in run["measured"]:
                assert measured.keys() == OF_A_MODEL | (OF_THE_FIRST_RUN if first else set()), (key, seed)
    for rates in stored["rates"].values():
        assert rates["trials"].keys() == rates["forgotten"].keys()
    assert (Path(results.__file__).parent / "world.json").stat().st_size < 300_000


@pytest.mark.nightly
@needs_results
def test_teaching_starts_today_as_the_stored_one_started(stored, smollm, tmp_path):
    class Stop(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.global_step == 2

    trainer = Experiment(tmp_path, str(smollm), read_settings(FILE)).teacher("all")
    trainer.add_callback(Stop())
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses == pytest.approx(stored["taught"]["all"]["losses"][:2], rel=2e-3), (
        "the numbers of the runs on the world have changed: make them again, by the command in CONTRIBUTING"
    )


# ----- what users may get wrong


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("epochs = 2", "epoch = 2", "unknown entry teaching.epoch"),
        ("epochs = 2", "", "missing entry teaching.epochs"),
        ("epochs = 2", 'epochs = "2"', "teaching.epochs must be int, got '2'"),
        ("answered = 0.0", "answered = true", "teaching.answered must be float, got True"),
        ("adamw = [1e-4, 1e-3]", "adamw = 1e-4", r"rates.adamw must be list\[float\], got 0.0001"),
        ("adamw = [1e-4, 1e-3]", 'adamw = ["x"]', r"rates.adamw must be list\[float\], got \['x'\]"),
        ("[records]", "[record]", "unknown entry record"),
        ('loss = "undial"', 'loss = "dial"', "runs.undial: loss must be one of .*, got 'dial'"),
        ('loss = "undial"', 'loss = "undial"\nbeta = -1.0', "runs.undial: beta must be .*, got -1.0"),
        ('loss = "ga"', 'loss = "ga"\nbeta = 1.0', "runs.ga: beta must be left out with loss='ga'"),
        ('optimizer = "sgd"', 'optimizer = "adam"', "runs.ga: optimizer must be one of 'adamw', 'sgd', got 'adam'"),
        ("measured = [1, 3]", "measured = [3, 1]", "unlearning: measured must be steps in ascending order up to 3"),
        ("measured = [1, 3]", "measured = [1, 2]", "unlearning: measured must be steps in ascending order up to 3"),
        ("seed = 0\n", "seed = 0\nseed = 1\n", "Cannot overwrite a value"),
        ("ga = { thorough", "gaa = { thorough", "must have the entry 'gaa'"),
        ("ga = { thorough = true }", "ga = 3", "short.runs.ga must be a table, got 3"),
        ("[short.runs]", "rates = 3\n[short.runs]", "short.rates must be a table, got 3"),
        ("[short.runs]\nga = { thorough = true }", "[[short.runs]]", r"short.runs must be a table, got \[{}\]"),
    ],
)
def test_a_bad_entry_is_named(settings, model, tmp_path, capsys, old, new, message):
    assert old in SETTINGS
    settings.write_text(SETTINGS.replace(old, new, 1), "utf-8")
    with pytest.raises(SystemExit) as error:
        run(tmp_path / "work", model, "--list", *(["--short"] if old in SETTINGS.partition("[short]")[2] else []))
    said = capsys.readouterr().err
    assert error.value.code == 2 and "unlearn_world.toml" in said and re.search(message, said), said


@pytest.mark.nightly
def test_pieces_of_other_settings_are_not_mixed(finished, settings, model, capsys):
    settings.write_text(SETTINGS.replace("epochs = 2", "epochs = 3"), "utf-8")
    with pytest.raises(SystemExit):
        run(finished, model)
    assert re.search(r"all\.json was made with other settings: delete it, or choose", capsys.readouterr().err)
    # a run does not depend on the others
    settings.write_text(SETTINGS.replace('title = "UNDIAL"', 'title = "UnDIAL"'), "utf-8")
    with pytest.raises(SystemExit):
        run(finished, model)
    assert "rate-undial.json was made with other settings" in capsys.readouterr().err


def test_two_runs_do_not_share_a_folder(settings, model, tmp_path, capsys):
    (tmp_path / "work").mkdir()
    with filelock.FileLock(tmp_path / "work/.lock"), pytest.raises(SystemExit):
        run(tmp_path / "work", model)
    assert "--folder must be one in which no other run works, got " in capsys.readouterr().err


def test_an_unknown_piece_is_rejected_with_the_known_ones(settings, model, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, model, "--only", "npo")
    assert re.search(r"--only must be one of 'all', .*'npo-rt-0', .*, got 'npo'", capsys.readouterr().err)


def test_the_settings_have_every_loss_and_a_short_version():
    settings, short = read_settings(FILE), read_settings(FILE, short=True)
    assert {run.loss for run in settings.runs.values()} == set(OBJECTIVES)
    assert settings.records.forget == 40 and settings.records.retain == 360
    assert {run.optimizer for run in settings.runs.values()} == {"adamw", "sgd"}
    assert set(short.runs) < set(settings.runs) and short.unlearning.n_steps < settings.unlearning.n_steps
    assert all(run.seeds == [0] for run in short.runs.values())
    # one run is asked everything, which takes longer than the run
    assert [name for name, run in short.runs.items() if run.thorough] == ["npo-rt"]


# ----- quick questions


@pytest.mark.parametrize("has_false", [True, False])
def test_quick_questions_equal_slow_ones(has_false):
    tokenizer, model = make_tokenizer(chat=True), long_model()
    records = read_records(world_pieces.DATA / "en/forget.jsonl")[:6]
    if not has_false:
        records = [{name: record[name] for name in ("prompt", "response")} for record in records]
    # some answers are right, so that they need not be generated
    teach(model, encode(records[:3], tokenizer), 150, learning_rate=1e-2)
    options = {"max_new_tokens": 70, "batch_size": 4}
    slow, model = measure(model, tokenizer, records, **options), model.train()
    quick = Questions(model, tokenizer, records).ask(model, **options)
    assert model.training
    assert quick.keys() == slow.keys() and all(quick[name] == slow[name] for name in ("question", "answer"))
    assert 0 < sum(value == 1 for value in quick["rouge_l_recall"]) < 6
    for name in quick.keys() - {"question", "answer"}:
        np.testing.assert_allclose(quick[name], slow[name], atol=2e-5, err_msg=name)


def test_damaged_weights_are_named():
    tokenizer, model = make_tokenizer(), long_model()
    questions = Questions(model, tokenizer, [{"prompt": "Who?", "response": " Ann."}])
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    assert parameters(model).isnan().any()
    with pytest.raises(ValueError, match="log-probabilities must be finite, got nan or inf"):
        questions.ask(model)
