"""results/: stored results can be read, name the command that made them, and are as good as promised."""

import importlib.util

import pytest

from experiments import questions as simulation
from npo_tutorial import results


def test_solver_speed():
    speed = results.load("solver_speed")
    python, module, name, write = speed["command"].split()
    assert (python, module, write) == ("python", "-m", "--write") and importlib.util.find_spec(name)
    assert speed["versions"].keys() == {"python", "numpy", "scipy", "numba", "torch"}
    for promise in speed["promises"]:
        value, bound = promise["measured"], promise["bound"]
        assert promise["reached"] and (value >= bound if promise["relation"] == ">=" else value <= bound), promise
    by_n, by_steps = speed["microseconds_a_step"], speed["seconds_a_run"]
    assert all(len(column) == len(by_n["n"]) and min(column) > 0 for column in by_n.values())
    assert all(len(column) <= len(by_steps["steps"]) and min(column) > 0 for column in by_steps.values())
    assert len(by_steps["flow"]) == len(by_steps["steps"])


def test_memory():
    memory = results.load("memory")
    assert memory["command"].startswith("python -m tests.benchmarks.memory ") and memory["threads"] == 1
    peak = {way: found["gigabytes"] for way, found in memory["ways"].items()}
    seconds = {way: found["seconds"] for way, found in memory["ways"].items()}
    # what the page says of the rows
    assert peak["all weights"] + 0.25 < peak["reference: second model"]
    assert seconds["all weights"] < seconds["reference: second model"]
    assert peak["recomputation"] < peak["all weights"] < peak["all logits"]
    assert seconds["recomputation"] > seconds["all weights"]
    assert peak["KL: adapter switched off"] + 0.25 < peak["KL: second model"]
    assert min(peak, key=peak.get) == "LoRA, bf16 base, recomputation"
    # an adapter is a small part of the weights, and only half-precision weights stand still
    assert memory["ways"]["LoRA"]["trained"] < 0.05 * memory["ways"]["all weights"]["trained"]
    assert [way for way, found in memory["ways"].items() if found["still"] > 0.5] == ["bf16 weights"]


def test_questions():
    found = results.load("questions")
    assert found["command"] == "python experiments/questions.py" and found["repeats"] == simulation.REPEATS
    assert found["questions"] == list(simulation.NUMBERS)
    # the fewest questions again
    for mean, shares in found["right"].items():
        assert shares[0] == simulation.share_right(float(mean), simulation.NUMBERS[0])
    # what the page says: failures show with few questions, success needs many
    assert found["right"]["0.0"][3] < 0.5 < 0.9 < min(found["right"]["0.3"][3], found["right"]["-0.3"][3])
    assert found["right"]["0.0"][5] > 0.9


@pytest.mark.parametrize("name", ["speed", "", "solver_speed.json", "../results/solver_speed", None, 1])
def test_unknown_names_are_rejected_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"name must be one of .*'solver_speed'.*, got "):
        results.load(name)
