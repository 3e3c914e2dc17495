"""Unlearning runs, and their distance to the retrained model along the way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npo_tutorial._checks import check_count, is_sequence
from npo_tutorial._parallel import on_all_cores
from npo_tutorial._records import warn_if_stopped
from npo_tutorial._special import expit
from npo_tutorial._types import FloatArray, IntArray, Real, RetainTerm
from npo_tutorial.logistic.descent import steps_to_record
from npo_tutorial.synthetic.descent import LARGEST, descend
from npo_tutorial.synthetic.objectives import Objective, has_retain_term
from npo_tutorial.synthetic.problem import SyntheticProblem
from npo_tutorial.synthetic.settings import check_retain_term, setting_of, together

TOGETHER = 16  # most columns of a product, so that the results fit the processor's cache


@dataclass(frozen=True, eq=False)
class SyntheticRun:
    """The k records of `run`. Several problems add an axis in front, several runs one after it.

    Attributes
    ----------
    steps : (k,) int array
        The recorded steps; step 0 is the initial model.
    forget_distance, retain_distance : (..., k) array
        E KL(π_retrained(·|x) ‖ π_θ(·|x)) over fresh samples of the forget or the retain cloud, in nats.
    kl_model_ref, kl_ref_model : (..., k) array
        KL(π_θ‖π_ref) and KL(π_ref‖π_θ), means over the forget set, in nats: how far the model has drifted.
    theta : (..., k, 128) array
        Parameters.
    stopped : str or None
        Which run overflowed, and at which step; None if all are complete.
    """

    steps: IntArray
    forget_distance: FloatArray
    retain_distance: FloatArray
    kl_model_ref: FloatArray
    kl_ref_model: FloatArray
    theta: FloatArray
    stopped: str | None

    def __repr__(self) -> str:
        return f"SyntheticRun({len(self.steps)} records, forget_distance of shape {self.forget_distance.shape})"


def run(
    method: str | Sequence[str],
    problem: SyntheticProblem | Sequence[SyntheticProblem],
    *,
    step_size: Real | Sequence[Real | None] | FloatArray | None = None,
    beta: Real | Sequence[Real | None] | FloatArray | None = None,
    n_steps: int = 2000,
    record: Sequence[int] | IntArray | None = None,
    retain_term: RetainTerm | None = None,
    retain_weight: Real | Sequence[Real] | FloatArray = 1.0,
) -> SyntheticRun:
    """Unlearn by full-batch gradient descent, and measure the distances to the retrained model along the way.

    Each of `method`, `step_size`, `beta` and `retain_weight` may be a sequence, of one common length: that many runs,
    made at once. `problem` may be a sequence as well: every run on every problem.

    Parameters
    ----------
    method : str or sequence of str
        "GA", "GA+RT", "IDK+RT", "NPO", "NPO+RT" or "DPO+RT"; RT adds a retain term. DPO carries 2/β as in the authors'
        code. The factor 1/β of `dpo_loss` is the same run at half the step size and twice the retain weight.
    problem : SyntheticProblem or sequence of them
        From `make_problem`.
    step_size : float or sequence, optional
        η > 0; by default the paper's for this method and this α, `TABLE_1`.
    beta : float or sequence, optional
        Inverse temperature of NPO and DPO, by default the paper's; in a sequence None for the other methods.
    n_steps : int
        Steps, at least 1.
    record : sequence of int, optional
        Steps to record, between 0 and `n_steps`. By default 0, up to two hundred logarithmically spaced ones and
        `n_steps`.
    retain_term : {"cross_entropy", "kl_ref_model", "kl_model_ref"}, optional
        The retain term: −E log π_θ(y|x), the default, E KL(π_ref‖π_θ) or E KL(π_θ‖π_ref), over the retain set.
    retain_weight : float or sequence
        Factor of the retain term, ≥ 0.

    Returns
    -------
    SyntheticRun
        All runs end early where one of them overflows. An interrupt (Ctrl-C) is raised: the runs are on several cores.

    Notes
    -----
    Source: arXiv:2404.05868, Section 4 and Appendix D; L_forget + weight · L_retain, both means over their sets.

    Examples
    --------
    >>> from npo_tutorial.synthetic import make_problem
    >>> runs = run(["GA", "NPO"], make_problem(alpha=1, seed=0), step_size=5e-3, n_steps=50)
    >>> runs.retain_distance.shape, bool(runs.retain_distance[0, -1] > runs.retain_distance[1, -1])
    ((2, 51), True)
    """
    problems = _problems(problem)
    arguments, is_batch = together(method=method, step_size=step_size, beta=beta, retain_weight=retain_weight)
    settings = [[setting_of(one.alpha, *run) for run in arguments] for one in problems]
    retain_term = check_retain_term(retain_term, [setting.method for setting in settings[0]])
    steps = steps_to_record(record, check_count("n_steps", n_steps))
    groups = _groups([setting.method for setting in settings[0]])
    tasks = [
        (one, [of_problem[i] for i in group], retain_term, steps)
        for one, of_problem in zip(problems, settings, strict=True)
        for group in groups
    ]
    measured, overflows = zip(*on_all_cores(_run, tasks, int(steps[-1])), strict=True)
    _, stopped = min(filter(None, overflows), default=(0, None))
    # all runs have as many records as the first to overflow
    k = min(arrays["theta"].shape[1] for arrays in measured)
    warn_if_stopped(stopped, k, len(steps))
    order = np.argsort(np.concatenate(groups))
    where = (0 if isinstance(problem, SyntheticProblem) else slice(None), slice(None) if is_batch else 0)
    result = {}
    for name in measured[0]:
        array = np.concatenate([arrays[name][:, :k] for arrays in measured])
        result[name] = array.reshape(len(problems), len(arguments), *array.shape[1:])[:, order][where]
    return SyntheticRun(steps=steps[:k], stopped=stopped, **result)


def _problems(problem):
    problems = [problem] if isinstance(problem, SyntheticProblem) else problem
    if not (is_sequence(problems) and len(problems) and all(isinstance(one, SyntheticProblem) for one in problems)):
        raise TypeError(f"problem must be a SyntheticProblem from make_problem or a sequence of them, got {problem!r}")
    return problems


def _groups(methods):
    """Indices of the runs that descend together: those without a retain term do without the rows of the retain set."""
    groups = []
    for wanted in (False, True):
        runs = [i for i, method in enumerate(methods) if has_retain_term(method) == wanted]
        groups += [runs[i : i + TOGETHER] for i in range(0, len(runs), TOGETHER)]
    return groups


def _run(problem, settings, retain_term, steps, update):
    """Runs × records of one problem, under the names in `SyntheticRun`; step and message of an overflow, or None."""
    objective = Objective(problem, settings, retain_term)
    thetas = np.repeat(problem.theta_init[:, None], len(settings), axis=1)
    rates = np.array([setting.step_size for setting in settings])
    records, overflow = [], None
    # an overflow is recognised by the values
    with np.errstate(over="ignore", invalid="ignore"):
        for step, theta in descend(objective.rows, objective.derivative, thetas, rates, steps, update):
            finite = (np.abs(theta) < LARGEST).all(axis=0)
            if not finite.all():
                setting = settings[int(np.argmin(finite))]
                which = f"{setting.method} on {problem}"
                overflow = (
                    step,
                    f"step_size is too large, {which} overflowed at step {step}: got step_size={setting.step_size!r}",
                )
                break
            records.append(theta.T)
        # without records the array still has the right shape
        thetas = np.array(records).reshape(len(records), *thetas.T.shape).swapaxes(0, 1).copy()
        return _measured(problem, thetas), overflow


def _measured(problem, thetas):
    """The measurements of these θ's, (runs, records, 128), under the names in `SyntheticRun`."""
    tests = {"forget_distance": problem.X_forget_test, "retain_distance": problem.X_retain_test}
    retrained = {name: _model((rows @ problem.theta_retrained)[:, None]) for name, rows in tests.items()}
    ref = _model((problem.X_forget @ problem.theta_init)[:, None])
    flat = thetas.reshape(-1, thetas.shape[-1])
    measured = {name: np.empty(len(flat)) for name in (*tests, "kl_model_ref", "kl_ref_model")}
    for i in range(0, len(flat), TOGETHER):
        now = slice(i, i + TOGETHER)
        for name, rows in tests.items():
            measured[name][now] = _kl(retrained[name], _model(rows @ flat[now].T))
        # computed from the change of θ, so that both are exactly 0 at the start
        model = _model(ref[0] + problem.X_forget @ (flat[now] - problem.theta_init).T)
        measured["kl_model_ref"][now], measured["kl_ref_model"][now] = _kl(model, ref), _kl(ref, model)
    return {name: values.reshape(thetas.shape[:2]) for name, values in measured.items()} | {"theta": thetas}


def _model(logits):
    """Logits z and log(1 + e^z), in a quarter of the time that `logaddexp` takes."""
    return logits, np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))


def _kl(model, other):
    """KL divergence of the Bernoulli distributions of two results of `_model`, mean over the rows."""
    (logits, log_norm), (other_logits, other_log_norm) = model, other
    kl = expit(logits) * (logits - other_logits) - log_norm + other_log_norm
    # rounding could make a zero negative
    return np.maximum(kl, 0).mean(axis=0)
