"""How a check runs a student's function: with a time limit, on copies, and with a reason for every refusal."""

import contextvars
import ctypes
import functools
import inspect
import math
import sys
import threading
import time
import tomllib
import traceback
from importlib import resources
from pathlib import Path

import numpy as np

from npo_tutorial._checks import check_choice, check_count, check_positive
from npo_tutorial._locale import LANGUAGES, preferred_language

HINTS = tomllib.loads((resources.files(__package__) / "hints.toml").read_text("utf-8"))
# Wrong formulas differ by percents; an answer in float32 may be off in the seventh digit.
TOLERANCE = 1e-4
# A call is shown if its arrays are no larger: small enough to be repeated by hand.
SHOWN = 24
WORDS = {
    "en": {"line": ", in line {number} of {file}: `{text}`", "call": "{name}({arguments}) returned {result}."},
    "zh": {"line": "，位于 {file} 第 {number} 行：`{text}`", "call": "{name}({arguments}) 返回了 {result}。"},
}


class Wrong(AssertionError):
    """An answer that a check refuses: the message says why, and `hint` is the mistake's short name.

    Short names ("sign", "overflow", "not-attempted", …) are the same in both languages, so that they can be counted.
    """

    def __init__(self, message, hint):
        super().__init__(message)
        self.hint = hint


class Mistake(Exception):
    """Found while a check runs; `question` puts it into words."""

    def __init__(self, hint, **details):
        super().__init__(hint)
        self.hint = hint
        self.details = details


def question(check):
    """Make a public check of ``check(answer, rng)``, which looks at an `Answer` and raises `Mistake`."""
    name = check.__name__.removeprefix("check_")

    def public(fn, *, seed=0, lang=None, time_limit=10.0):
        if not callable(fn):
            raise TypeError(f"fn must be the function {name} itself, got {type(fn).__name__} {fn!r:.60}")
        lang = preferred_language() if lang is None else check_choice("lang", lang, LANGUAGES)
        rng = np.random.default_rng(check_count("seed", seed, minimum=0))
        answer = Answer(fn, name)
        mistake = _within(check_positive("time_limit", time_limit), check, answer, rng)
        # Raised here, where no frame of the check is on the stack: a traceback shows the lines around each frame, and
        # those of the check hold the solution.
        if mistake:
            raise Wrong(answer.told(mistake, lang), mistake.hint) from None

    functools.update_wrapper(public, check)
    del public.__wrapped__  # the signature is the public one
    public.__doc__ += _SHARED
    return public


_SHARED = """

    Parameters
    ----------
    fn : function
        The answer. It may compute with NumPy or PyTorch, in loops, in float32 or float64.
    seed : int
        Of the cases, ≥ 0. Keep another one for hidden tests.
    lang : {"en", "zh"}, optional
        Of the message. By default what the environment variable NPO_TUTORIAL_LANG says, else that of the locale.
    time_limit : float
        Seconds, after which the check ends and says so.

    Raises
    ------
    Wrong
        The answer is not right, not there, raises an exception or does not end. Its `hint` names the mistake.
    TypeError, ValueError
        Of the other arguments.
    """


class Answer:
    """The student's function. Called, it gives a NumPy array of real numbers, or raises `Mistake`."""

    def __init__(self, fn, name):
        self.fn, self.name = fn, name
        self.tensors = False  # whether NumPy's arrays are too little for it
        self.call = None

    def __call__(self, **arguments):
        self.call = None
        result = self.run(**arguments)
        array = as_numbers(result)
        self.call = arguments, array
        return array

    def run(self, **arguments):
        """What the function returns, whatever it is. It gets copies, and they must be what they were afterwards."""
        bound = self._bound(arguments)
        if self.tensors:
            return self._call(bound, _tensors(arguments))
        try:
            return self._call(bound, arguments)
        except Mistake as mistake:
            # written for tensors? Then the answer has imported PyTorch by itself
            if not isinstance(mistake.__cause__, (TypeError, AttributeError)) or "torch" not in sys.modules:
                raise
            try:
                result = self._call(bound, _tensors(arguments))
            except Mistake as other:
                # the first complaint is about the code as it stands, unless there is more to say of the second
                raise (mistake if other.hint == "raised" else other) from mistake.__cause__
            self.tensors = True
            return result

    def _bound(self, arguments):
        """Whether arguments go by name or in order; names are the student's choice."""
        try:
            signature = inspect.signature(self.fn)
        except (TypeError, ValueError):  # some built-in functions have none
            return False
        for by_name in (True, False):
            try:
                signature.bind(**arguments) if by_name else signature.bind(*arguments.values())
            except TypeError:
                continue
            return by_name
        raise Mistake("signature", wanted=", ".join(arguments), got=f"{self.name}{signature}")

    def _call(self, by_name, arguments):
        copies = {key: _copy(value) for key, value in arguments.items()}
        try:
            result = self.fn(**copies) if by_name else self.fn(*copies.values())
        except NotImplementedError as error:
            raise Mistake("not-attempted") from error
        except BaseException as error:  # also SystemExit: an answer must not end the notebook
            if isinstance(error, Stop):
                raise
            raise Mistake("raised", error=_named(error), where=_place(error, self.fn)) from error
        for key, value in arguments.items():
            if not _same(copies[key], value):
                raise Mistake("modified", argument=key)
        return result

    def told(self, mistake, lang):
        """The message: which function, what is wrong, and the call that shows it where that is short enough."""
        details = dict(mistake.details)
        where = details.get("where")
        if where is not None:
            details["where"] = WORDS[lang]["line"].format(**where) if where else ""
        text = f"{self.name}: {HINTS[mistake.hint][lang].format(name=self.name, **details)}"
        if self.call and all(map(_is_short, (*self.call[0].values(), self.call[1]))):
            arguments = ", ".join(f"{key}={_shown(value)}" for key, value in self.call[0].items())
            result = _shown(self.call[1])
            text += "\n" + WORDS[lang]["call"].format(name=self.name, arguments=arguments, result=result)
        return text


def as_numbers(result):
    """A float64 array of what a function returned."""
    if result is None:
        raise Mistake("returns-nothing")
    if hasattr(result, "detach"):
        result = result.detach().cpu().double().numpy()
    try:
        array = np.asarray([_detached(x) for x in result] if isinstance(result, (list, tuple)) else result)
    except (TypeError, ValueError):
        array = None
    if array is None or array.dtype.kind not in "fiu":
        raise Mistake("not-numbers", got=f"{type(result).__name__} {result!r:.60}")
    return array.astype(np.float64)


def compare(got, expected, mistakes, *, otherwise="value"):
    """Raise the first of `mistakes`, {hint: what it gives}, that explains the result, if it is not the one expected."""
    if close(got, expected):
        return
    for hint, wrong in mistakes.items():
        if any(close(got, value) for value in (wrong if isinstance(wrong, list) else [wrong])):
            raise Mistake(hint)
    raise Mistake("nan" if not np.isfinite(got).all() and otherwise == "value" else otherwise)


def close(got, expected, tolerance=TOLERANCE):
    """Equal shapes and, up to rounding, equal numbers: relative to each of them, so that small ones count as well."""
    got, expected = np.asarray(got), np.asarray(expected)
    return got.shape == expected.shape and np.allclose(got, expected, rtol=tolerance, atol=1e-300, equal_nan=True)


def shaped(got, shape):
    """The result itself, if it has the shape that is wanted."""
    if got.shape != shape:
        raise Mistake("shape", wanted=shape, got=got.shape)
    return got


def scalar(got, n):
    """One number, also as an array of one element."""
    if got.size != 1:
        if got.shape == (n,):
            raise Mistake("not-averaged")
        raise Mistake("shape", wanted="()", got=got.shape)
    return got.reshape(())


class Stop(BaseException):
    """Raised in the thread of an answer that ran past its time."""


def _within(limit, check, answer, rng):
    """The mistake that a check finds, or None; "time" after `limit` seconds.

    A thread, not a signal: it works on every system and within any thread, and a loop that swallows every exception is
    left behind, where a signal's handler could only wait for it.
    """
    found = []

    def run():
        try:
            # a formula that overflows is part of what is looked for
            with np.errstate(all="ignore"):
                check(answer, rng)
            found.append(None)
        except Mistake as mistake:
            found.append(mistake)
        except Stop:
            pass
        except BaseException as error:  # a bug of the check: raised below, in the caller's thread
            found.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        thread.join(limit)
    finally:
        _stop(thread)
    if not found:
        answer.call = None
        return Mistake("time", limit=limit)
    if found[0] is None or isinstance(found[0], Mistake):
        return found[0]
    raise found[0]


def _stop(thread):
    for _ in range(20):
        if not thread.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
        time.sleep(0.01)


def _tensors(arguments):
    torch = sys.modules["torch"]
    return {
        key: torch.tensor(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x for key, x in arguments.items()
    }


def _copy(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    # a model or an optimizer is there to be changed
    return value.clone() if _is_tensor(value) else value


def _same(after, before):
    if isinstance(before, np.ndarray):
        return np.array_equal(after, before)
    return not _is_tensor(before) or (after.shape == before.shape and bool((after == before).all()))


def _is_tensor(value):
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor)


def _detached(value):
    return value.detach().cpu().numpy() if _is_tensor(value) else value


def _named(error):
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"


def _place(error, fn):
    """The last line of the student's own file on the way to an exception."""
    file = getattr(getattr(fn, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if not frames or not frames[-1].line:
        return {}
    # IPython's name of a cell's file tells nobody anything
    shown = "<cell>" if "ipykernel" in file else Path(file).name
    return {"number": frames[-1].lineno, "file": shown, "text": frames[-1].line}


def _is_short(value):
    return isinstance(value, (int, float)) or (hasattr(value, "shape") and math.prod(value.shape) <= SHOWN)


def _shown(value):
    if isinstance(value, np.ndarray) or _is_tensor(value):
        array = np.asarray(_detached(value))
        return np.array2string(array, separator=", ", formatter={"float": "{:.6g}".format}).replace("\n", "")
    return f"{value:g}" if isinstance(value, float) else repr(value)
