"""SciPy's special functions, loaded when one of them is first called: `import npo_tutorial` loads no SciPy."""

from functools import cache


@cache
def special():
    """The module itself, for loops that call its functions at every step."""
    import scipy.special

    return scipy.special


def _on_first_call(name):
    def function(*arguments, **options):
        return getattr(special(), name)(*arguments, **options)

    return function


expit, exprel, log_expit, wrightomega, zeta = map(
    _on_first_call, ("expit", "exprel", "log_expit", "wrightomega", "zeta")
)
