"""Run an answer: on copies of its arguments, apart from its caller, and with a reason for each rejection."""

import inspect
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

from npo_tutorial._checks import check_choice, check_count, check_positive
from npo_tutorial._locale import LANGUAGES, preferred_language
from npo_tutorial._types import Language, Real
from npo_tutorial.homework.compare import Mistake, Result, as_numbers, attempt, described
from npo_tutorial.homework.isolation import PRINTED, Output, TimeUp, run_apart
from npo_tutorial.homework.messages import cut_notice, message, named, place


class Wrong(AssertionError):
    """An answer that a check rejects: the message says why, and `hint` is the mistake's short name.

    Short names ("sign", "overflow", "not-attempted", …) are the same in both languages, so that they can be counted.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self):
        # a grader may pickle it, and an exception is rebuilt from its arguments
        return type(self), (str(self), self.hint)


# makes an array of what an answer returns
Read: TypeAlias = Callable[[Any], np.ndarray]


class Answer:
    """A student's function. A call returns a `Result` or raises `Mistake`; all calls share `seconds`."""

    def __init__(self, fn: Callable[..., object], name: str, *, seconds: float = 10.0, language: str = "en"):
        self.fn, self.name, self.limit = fn, name, seconds
        self.output = Output(cut_notice(name, PRINTED, language))
        self.seconds = seconds  # what is left of the limit
        self.tensors = False  # whether it needs tensors

    def __call__(self, read: Read = as_numbers, /, **arguments: Any) -> Result:
        """Call it; `read` makes an array of what it returns, within the limits as well."""
        if self.tensors:
            return self._run(read, arguments, _tensors(arguments))
        try:
            return self._run(read, arguments, arguments)
        except Mistake as mistake:
            # written for tensors? Then the answer has imported PyTorch by itself
            if not isinstance(mistake.__cause__, (TypeError, AttributeError)) or _torch() is None:
                raise
            first = mistake
        try:
            result = self._run(read, arguments, _tensors(arguments))
        except Mistake as second:
            # the first complaint is about the code as it is, unless the second says more
            raise (first if second.hint == "raised" else second) from first.__cause__
        self.tensors = True
        return result

    def _run(self, read: Read, arguments: Mapping[str, Any], given: Mapping[str, Any]) -> Result:
        start = time.monotonic()
        try:
            value = run_apart(lambda: self._call(read, given), self.seconds, self.output)
        except TimeUp:
            raise Mistake("time", limit=self.limit) from None
        self.seconds -= time.monotonic() - start
        return Result(value, arguments)

    def _call(self, read: Read, given: Mapping[str, Any]) -> np.ndarray:
        """All that may run code of the student's."""
        by_name = self._by_name(given)
        copies = {key: _copy(value) for key, value in given.items()}
        try:
            with np.errstate(all="ignore"):  # some formulas overflow: finding them is part of the check
                result = self.fn(**copies) if by_name else self.fn(*copies.values())
        except BaseException as error:  # SystemExit as well: an answer must not end the notebook
            where, own = place(error, self.fn)
            # libraries raise NotImplementedError too, from their own files or with a reason
            stub = isinstance(error, NotImplementedError) and own
            if stub and (not error.args or where.get("text", "").startswith("raise NotImplementedError")):
                raise Mistake("not-attempted") from error
            raise Mistake("raised", error=named(error), where=where or "") from error
        for key, value in given.items():
            if not _same(copies[key], value):
                raise Mistake("modified", argument=key)
        return read(result)

    def _by_name(self, given: Mapping[str, Any]) -> bool:
        """Whether the arguments go by name or in order; names are the student's choice."""
        try:
            signature = inspect.signature(self.fn)
        except BaseException:  # some built-in functions have none
            return False
        for by_name in (True, False):
            try:
                signature.bind(**given) if by_name else signature.bind(*given.values())
            except TypeError:
                continue
            return by_name
        # a default value of the student's may have a repr that raises
        got = attempt(lambda: f"{self.name}{signature}", f"{self.name}(…)")
        raise Mistake("signature", wanted=", ".join(given), got=got)


class Check(Protocol):
    """A public check."""

    def __call__(
        self,
        fn: Callable[..., object],
        *,
        seed: int = 0,
        language: Language | None = None,
        time_limit: Real = 10.0,
    ) -> None: ...


def question(check: Callable[[Answer, np.random.Generator], None]) -> Check:
    """Make a public check of ``check(answer, rng)``, which calls the answer and raises `Mistake`."""
    name = check.__name__.removeprefix("check_")

    def public(
        fn: Callable[..., object],
        *,
        seed: int = 0,
        language: Language | None = None,
        time_limit: Real = 10.0,
    ) -> None:
        if not callable(fn):
            raise TypeError(f"fn must be the function {name} itself, got {described(fn)}")
        language = preferred_language() if language is None else check_choice("language", language, LANGUAGES)
        rng = np.random.default_rng(check_count("seed", seed, minimum=0))
        answer = Answer(fn, name, seconds=check_positive("time_limit", time_limit), language=language)
        found = None
        try:
            with np.errstate(all="ignore"):
                check(answer, rng)
        except Mistake as mistake:
            found = mistake
        # Raised here, where no frame of the check is on the stack: a traceback shows the lines around each frame, and
        # those of the check contain the solution.
        if found is not None:
            raise Wrong(message(name, found, language), found.hint) from None

    # not by functools.wraps: the signature is the public one
    public.__module__, public.__name__, public.__qualname__ = check.__module__, check.__name__, check.__qualname__
    public.__doc__ = (check.__doc__ or "") + _SHARED
    return public


_SHARED = """

    Parameters
    ----------
    fn : function
        The answer. It may compute with NumPy or PyTorch, in loops, in float32 or float64.
    seed : int
        Chooses the cases, ≥ 0. Keep another one for hidden tests.
    language : {"en", "zh"}, optional
        Language of the message; by default that of the environment variable NPO_TUTORIAL_LANG, else of the locale.
    time_limit : float
        Seconds, > 0, for all calls of the answer together. Where Python has no threads, only the host limits the time.

    Raises
    ------
    Wrong
        The answer is wrong or missing, raises an exception or does not end. Its `hint` names the mistake.
    TypeError, ValueError
        Another argument is wrong.
    """


def _torch():
    return sys.modules.get("torch")


def _is_tensor(value: Any) -> bool:
    return _torch() is not None and isinstance(value, _torch().Tensor)


def _tensors(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _torch().tensor(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x
        for key, x in arguments.items()
    }


def _copy(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    # a model or an optimizer is there to be changed
    return value.clone() if _is_tensor(value) else value


def _same(after: Any, before: Any) -> bool:
    if isinstance(before, np.ndarray):
        return np.array_equal(after, before)
    return not _is_tensor(before) or (after.shape == before.shape and bool((after == before).all()))
