"""The problem: data drawn from a seed, a model trained on everything, and one that was never shown the forget set."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import overload

import numpy as np

from npo_tutorial._checks import check_count, check_labels, check_real, is_sequence
from npo_tutorial._parallel import on_all_cores
from npo_tutorial._special import expit
from npo_tutorial._types import FloatArray, IntArray, Real

DIMENSION = 16
N_FEATURES = 128
N_FORGET, N_RETAIN, N_TEST = 200, 1000, 1000
TRAINING_STEPS, TRAINING_STEP_SIZE = 20_000, 0.05


@dataclass(frozen=True, eq=False)
class SyntheticProblem:
    """A forget set and a retain set for the model P(y = 1|x) = σ(⟨θ, φ(x)⟩) with N = 128 random features φ.

    Attributes
    ----------
    alpha : float
        The clouds' centres are μ_f = α·1 and μ_r = −α·1 in 16 dimensions.
    seed : int
        The seed of everything that is random.
    X_forget, y_forget : (200, 128), (200,) array
        Features φ(x) of the forget set and its labels, 0 or 1.
    X_retain, y_retain : (1000, 128), (1000,) array
        The same for the retain set.
    y_other : (200,) array
        For each forget sample an uninformative label, drawn from Bern(1/2): the chosen response of IDK and DPO.
    X_forget_test, X_retain_test : (1000, 128) array
        Fresh samples of both clouds, on which the distances are measured.
    theta_init : (128,) array
        The model trained on forget and retain set; unlearning starts from it, and it is the reference model π_ref.
    theta_retrained : (128,) array
        The model trained on the retain set alone: the aim of unlearning.
    """

    alpha: float
    seed: int
    X_forget: FloatArray
    y_forget: FloatArray
    X_retain: FloatArray
    y_retain: FloatArray
    y_other: FloatArray
    X_forget_test: FloatArray
    X_retain_test: FloatArray
    theta_init: FloatArray
    theta_retrained: FloatArray

    def __post_init__(self) -> None:
        # the labels may be the caller's, by `dataclasses.replace`
        for part in ("forget", "retain", "other"):
            name, rows = f"y_{part}", self.X_retain if part == "retain" else self.X_forget
            labels = check_labels(name, getattr(self, name), len(rows))
            labels.setflags(write=False)
            object.__setattr__(self, name, labels)

    def __repr__(self) -> str:
        return f"SyntheticProblem(alpha={self.alpha:g}, seed={self.seed})"


@overload
def make_problem(alpha: Real, seed: int) -> SyntheticProblem: ...
@overload
def make_problem(alpha: Real, seed: Sequence[int] | IntArray) -> list[SyntheticProblem]: ...
def make_problem(alpha: Real, seed: int | Sequence[int] | IntArray) -> SyntheticProblem | list[SyntheticProblem]:
    """Draw the problem of a seed, or of several, and train its initial and its retrained model.

    x ~ N(μ, I) in 16 dimensions with μ_f = α·1, μ_r = −α·1; P(y = 1|x) = σ(⟨x − μ_f, θ_f⟩ + 1) for the forget cloud and
    σ(⟨x − μ_r, θ_r⟩ − 1) for the retain cloud, with θ_f = −θ_r = 1/4·1; φ(x) = relu(Vx) with V_ij ~ N(0, 1/16). Both
    models start from θ = 0 and make 20,000 steps of gradient descent on their mean cross-entropy, with step size 0.05.

    Parameters
    ----------
    alpha : float
        How far apart the clouds are, ≥ 0. The paper has 1 and 0; at 0 the clouds coincide and only labels differ.
    seed : int or sequence of int
        ≥ 0. The same seed gives the same problem, made once and kept: its arrays are read-only.

    Returns
    -------
    SyntheticProblem, or a list with the problem of each seed

    Notes
    -----
    Source: arXiv:2404.05868, Section 4.1 and Appendix D.1. A problem takes about a second; several
    seeds at once share the cores.

    Examples
    --------
    >>> problem = make_problem(alpha=1, seed=0)
    >>> problem, problem.X_forget.shape
    (SyntheticProblem(alpha=1, seed=0), (200, 128))
    """
    alpha = check_real("alpha", alpha)
    if not 0 <= alpha < inf:
        raise ValueError(f"alpha must be at least 0 and finite, got {alpha!r}")
    seeds = [check_count("seed", one, minimum=0) for one in (seed if is_sequence(seed) else [seed])]
    made = _problems(alpha + 0.0, seeds)  # −0 is 0
    return made if is_sequence(seed) else made[0]


_made: dict[tuple[float, int], SyntheticProblem] = {}


def _problems(alpha, seeds):
    drawn = {seed: draw(alpha, seed) for seed in seeds if (alpha, seed) not in _made}
    _check_finite(alpha, *drawn.values())
    tasks = [data for arrays in drawn.values() for data in _training_data(**arrays)]
    thetas = iter(on_all_cores(_train, tasks, TRAINING_STEPS))
    for seed, arrays in drawn.items():
        arrays |= {"theta_init": next(thetas), "theta_retrained": next(thetas)}
        _check_finite(alpha, arrays)
        for array in arrays.values():
            array.setflags(write=False)
        _made.setdefault((alpha, seed), SyntheticProblem(alpha, seed, **arrays))
    return [_made[alpha, seed] for seed in seeds]


def _check_finite(alpha, *drawn):
    if not all(np.isfinite(array).all() for arrays in drawn for array in arrays.values()):
        raise ValueError(f"alpha is too large, the features or the training overflowed: got {alpha!r}")


def draw(alpha: float, seed: int) -> dict[str, FloatArray]:
    """The data, under their names in `SyntheticProblem`."""
    rng = np.random.default_rng(seed)
    projection = rng.normal(0, DIMENSION**-0.5, (DIMENSION, N_FEATURES))
    arrays: dict[str, FloatArray] = {}
    # the forget cloud is at +α, and its labels depend on x with +1/4 and +1; the retain cloud has the opposite signs
    for name, sign, n in (("forget", 1, N_FORGET), ("retain", -1, N_RETAIN)):
        noise = rng.normal(size=(n + N_TEST, DIMENSION))
        with np.errstate(over="ignore", invalid="ignore"):
            features = np.maximum((noise + sign * alpha) @ projection, 0)
        probability = expit(sign * (noise[:n].sum(axis=1) * DIMENSION**-0.5 + 1))
        arrays |= {
            f"X_{name}": features[:n].copy(),
            f"y_{name}": (rng.random(n) < probability).astype(float),
            f"X_{name}_test": features[n:].copy(),
        }
    return arrays | {"y_other": rng.integers(0, 2, N_FORGET).astype(float)}


def _training_data(X_forget, y_forget, X_retain, y_retain, **_):
    """Rows and labels for training the initial and the retrained model."""
    return (np.concatenate([X_forget, X_retain]), np.concatenate([y_forget, y_retain])), (X_retain, y_retain)


def _train(rows, labels, update):
    """θ after the paper's training from θ = 0."""
    # a product with one vector takes a quarter of the time of one with both models' columns, and with column-major
    # rows a tenth less
    rows, step_size = np.asfortranarray(rows), TRAINING_STEP_SIZE / len(rows)
    theta, logits, gradient = np.zeros(N_FEATURES), np.empty(len(rows)), np.empty(N_FEATURES)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(TRAINING_STEPS):
            np.dot(rows, theta, out=logits)
            np.dot(expit(logits, out=logits) - labels, rows, out=gradient)
            theta -= step_size * gradient
            update(1)
    return theta
