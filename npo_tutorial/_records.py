"""What every solver does with a run that ends early: return its records, and say why they end there."""

import sys
import warnings


def warn_if_stopped(
    stopped: str | None, n_returned: int, n_asked: int, error: type[BaseException] | BaseException = ValueError
) -> None:
    """Warn that `n_returned` of `n_asked` records are returned and why; where there are none, raise the error."""
    if stopped is None:
        return
    if not n_returned:
        raise error(stopped) if isinstance(error, type) else error
    # the line that the reader wrote, however many of our functions are in between
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "npo_tutorial":
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{stopped}; {n_returned} of {n_asked} records are returned", RuntimeWarning, stacklevel=level)
