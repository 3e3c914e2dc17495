"""Labels and formats that several demos share: labels in both languages, numbers as a reader writes them."""

from collections.abc import Iterable
from math import ceil, floor, log10

from npo_tutorial._types import Real

BETA = {"en": "inverse temperature β", "zh": "逆温度 β"}
STEP = {"en": "step t", "zh": "步数 t"}
LOG_RATIO = {"en": "log-ratio u (nats)", "zh": "对数比 u（奈特）"}


def rounded(value: Real, decimals: int) -> str:
    """A rounded number as a reader writes it: with a true minus sign, but not before zero."""
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}".replace("-", "−")


def significant(value: Real, digits: int = 3) -> str:
    """A number rounded to this many significant digits, never with an exponent."""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return rounded(value, max(digits - 1 - exponent, 0))


def outwards(lo: float, hi: float) -> list[str]:
    """Both ends of an interval, rounded outwards to three significant digits."""
    ends = []
    for value, towards in ((lo, floor), (hi, ceil)):
        unit = 10.0 ** (floor(log10(value)) - 2)
        ends.append(significant(towards(value / unit) * unit))
    return ends


def listed(values: Iterable[Real], separator: str = ", ") -> str:
    """Numbers with two decimals, as a list."""
    return separator.join(rounded(value, 2) for value in values)
