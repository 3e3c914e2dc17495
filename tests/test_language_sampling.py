"""Which samples meet in which step: workers, processes, micro-batches and interruptions; what two processes find."""

import os
import subprocess
import sys

import pytest
import torch

from tests.conftest import nightly
from tests.two_processes import CASES, N_FORGET, N_RETAIN, N_STEPS, TOTAL

# the scripts take half a minute: one worker of pytest should run them
pytestmark = pytest.mark.xdist_group("two processes")
BY_DAY = ["plain", "persistent workers", "by length", "in order", "another seed"]
WHOLE = [name for name in CASES if name != "whole batches"]


def results(folder, *cases, launcher=()):
    """What the script finds of some cases, or of all, in processes of its own."""
    command = [sys.executable, *launcher, "-m", "tests.two_processes", str(folder), *cases]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "found.pt", weights_only=False)


@pytest.fixture(scope="module")
def one(request, tmp_path_factory):
    """The results of one process."""
    here = [item for item in request.session.items if item.path == request.path]
    at_night = any(item.get_closest_marker("nightly") for item in here)
    return results(tmp_path_factory.mktemp("one"), *(() if at_night else BY_DAY))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The results of two processes."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2")
    return results(tmp_path_factory.mktemp("two"), launcher=launcher)


def epochs(met):
    """The pairs of each epoch, of which every second step ends one."""
    steps = [met[step] for step in sorted(met)]
    return [a + b for a, b in zip(steps[::2], steps[1::2], strict=True)]


@pytest.mark.parametrize("case", [*BY_DAY, *nightly(*(name for name in WHOLE if name not in BY_DAY))])
def test_every_epoch_meets_each_forget_sample_once_and_the_retain_set_is_cycled_through(one, case):
    met = one[case]["met"]
    assert sorted(met) == list(range(1, N_STEPS + 1))
    assert [len(pairs) for pairs in met.values()] == [TOTAL, N_FORGET - TOTAL] * (N_STEPS // 2)
    for epoch in epochs(met):
        assert sorted(forget for forget, _ in epoch) == list(range(N_FORGET))
    # 20 places have met the 7 retain samples twice or thrice
    retain = [pair[1] for epoch in epochs(met) for pair in epoch]
    counts = [retain.count(i) for i in range(N_RETAIN)]
    assert sum(counts) == N_FORGET * N_STEPS // 2 and set(counts) <= {2, 3}
    # in an epoch no retain sample is met twice
    assert all(len({r for _, r in epoch}) == N_FORGET for epoch in epochs(met))
    # and a forget sample meets others in the next epoch
    assert len({tuple(map(tuple, sorted(epoch))) for epoch in epochs(met)}) == N_STEPS // 2


@pytest.mark.nightly
def test_without_the_last_batch_every_step_is_whole(one):
    assert [len(pairs) for pairs in one["whole batches"]["met"].values()] == [TOTAL] * N_STEPS


@pytest.mark.parametrize("case", ["persistent workers", *nightly("micro-batches", "workers")])
def test_steps_do_not_depend_on_workers_and_micro_batches(one, case):
    assert one[case]["met"] == one["plain"]["met"]
    torch.testing.assert_close(one[case]["weights"], one["plain"]["weights"], rtol=0, atol=1e-9)


def test_a_set_that_is_given_is_evaluated_whatever_was_evaluated_before(one):
    # workers that persist must not keep the first set, and whole batches are for training
    (first, second), again = ([metrics["eval_loss"] for metrics in one[case]["given"]] for case in BY_DAY[:2])
    assert first != pytest.approx(second, rel=1e-3)
    assert again == pytest.approx([first, second], rel=1e-6)


def test_order_is_random_unless_it_must_not_be(one):
    assert {forget for forget, _ in one["in order"]["met"][1]} == {0, 1, 2, 3}
    # the second step has the sample that is left: another one in each epoch
    left = {case: {one[case]["met"][step][0][0] for step in range(2, N_STEPS + 1, 2)} for case in ("plain", "in order")}
    assert len(left["plain"]) > 1 and left["in order"] == {4}
    assert one["another seed"]["met"] != one["plain"]["met"]


def test_a_resumed_run_meets_the_samples_that_are_left(one):
    whole, rest = one["persistent workers"], one["resumed"]
    assert rest["met"] == {step: pairs for step, pairs in whole["met"].items() if step > 3}
    assert torch.equal(rest["weights"], whole["weights"]) and rest["log"] == whole["log"]


@pytest.mark.nightly
@pytest.mark.parametrize("case", [*CASES, "resumed"])
def test_two_processes_equal_one(one, two, case):
    expected, found = one[case], two[case]
    assert found["met"] == expected["met"]
    torch.testing.assert_close(found["weights"], expected["weights"], rtol=0, atol=1e-9)
    for name, values in expected["log"].items():
        # the Trainer adds up losses in float32
        assert found["log"][name] == pytest.approx(values, rel=2e-6), name
    names = [name for name in expected["metrics"] if "second" not in name and "time" not in name]
    assert len(names) >= 9
    for name in names:
        assert found["metrics"][name] == pytest.approx(expected["metrics"][name], rel=2e-6), name
    torch.testing.assert_close(found["predictions"], expected["predictions"], rtol=1e-6, atol=0)
