"""The settings of one run or several: checked, and completed with those of the paper."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from npo_tutorial._checks import check_beta, check_choice, check_positive, check_real, is_sequence
from npo_tutorial._types import Real, RetainTerm
from npo_tutorial.synthetic.objectives import METHODS, NEEDS_BETA, RETAIN_TERMS, TERMS, has_retain_term


class PaperSetting(NamedTuple):
    """Step size and β that the paper has for a method; β is None for a method without one."""

    step_size: float
    beta: float | None


# α → method → setting: arXiv:2404.05868, Table 1
TABLE_1 = {
    1.0: {
        "GA": PaperSetting(5e-4, None),
        "GA+RT": PaperSetting(5e-4, None),
        "IDK+RT": PaperSetting(5e-4, None),
        "NPO": PaperSetting(5e-3, 1.0),
        "NPO+RT": PaperSetting(5e-3, 1.0),
        "DPO+RT": PaperSetting(5e-3, 0.1),
    },
    0.0: {
        "GA": PaperSetting(1e-4, None),
        "GA+RT": PaperSetting(1e-4, None),
        "IDK+RT": PaperSetting(1e-4, None),
        "NPO": PaperSetting(5e-2, 10.0),
        "NPO+RT": PaperSetting(5e-2, 10.0),
        "DPO+RT": PaperSetting(5e-2, 5.0),
    },
}


@dataclass(frozen=True)
class Setting:
    """One run's settings, checked and complete."""

    method: str
    step_size: float
    beta: float | None
    retain_weight: float


def setting_of(alpha: float, method: str, step_size: Real | None, beta: Real | None, retain_weight: Real) -> Setting:
    """The setting of one run, with the defaults of the paper."""
    check_choice("method", method, METHODS)
    needs_beta = TERMS[method][0] in NEEDS_BETA
    if beta is not None and not needs_beta:
        raise ValueError(f"beta must be left out with method={method!r}, got {beta!r}")
    if step_size is None or (beta is None and needs_beta):
        name = "step_size" if step_size is None else "beta"
        if alpha not in TABLE_1:
            raise ValueError(f"{name} must be given with alpha={alpha:g}: the paper's table has alpha 0 and 1 only")
        paper = TABLE_1[alpha][method]
        step_size = paper.step_size if step_size is None else step_size
        beta = paper.beta if beta is None else beta
    retain_weight = check_real("retain_weight", retain_weight)
    if not 0 <= retain_weight < inf:
        raise ValueError(f"retain_weight must be at least 0 and finite, got {retain_weight!r}")
    beta = check_beta(beta) if needs_beta else None
    return Setting(method, check_positive("step_size", step_size), beta, retain_weight)


def check_retain_term(retain_term: RetainTerm | None, methods: Iterable[str]) -> RetainTerm:
    """The retain term of these methods: the first of `RETAIN_TERMS` by default."""
    if retain_term is None:
        return RETAIN_TERMS[0]
    if not any(has_retain_term(method) for method in methods):
        raise ValueError(f"retain_term must be left out with methods that have none, got {retain_term!r}")
    return check_choice("retain_term", retain_term, RETAIN_TERMS)


def together(**arguments: Any) -> tuple[list[tuple[Any, ...]], bool]:
    """The arguments of each run, and whether any of them was a sequence."""
    sequences = {name: list(value) for name, value in arguments.items() if is_sequence(value)}
    lengths = {name: len(values) for name, values in sequences.items()}
    if 0 in lengths.values() or len(set(lengths.values())) > 1:
        raise ValueError(f"{', '.join(lengths)} must have one length, at least 1, got {lengths}")
    k = next(iter(lengths.values()), 1)
    columns = (sequences.get(name, [value] * k) for name, value in arguments.items())
    return list(zip(*columns, strict=True)), bool(sequences)
