"""What several demos say alike: labels in both languages, numbers as a reader writes them."""

from math import ceil, floor, log10

BETA = {"en": "inverse temperature β", "zh": "逆温度 β"}
STEP = {"en": "step t", "zh": "步数 t"}
LOG_RATIO = {"en": "log-ratio u (nats)", "zh": "对数比 u（奈特）"}


def rounded(value, decimals):
    """A rounded number as a reader writes it: a true minus sign, and none before zero."""
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}".replace("-", "−")


def significant(value, digits=3):
    """A rounded number with so many significant digits, never with an exponent."""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return rounded(value, max(digits - 1 - exponent, 0))


def outwards(lo, hi):
    """Both ends of an interval with three significant digits, rounded so that it holds what it held."""
    ends = []
    for value, towards in ((lo, floor), (hi, ceil)):
        unit = 10.0 ** (floor(log10(value)) - 2)
        ends.append(significant(towards(value / unit) * unit))
    return ends


def listed(values, separator=", "):
    return separator.join(rounded(value, 2) for value in values)
