"""Answers to the homework as students write them: wrong ones with the hint meant for them, and right ones that differ.

`with_numpy` needs NumPy only; `with_torch` adds the answers that need PyTorch or SciPy. ``python -m
tests.homework_answers`` checks them all and prints which hints each question gave (the confusion table), and how long
the checks took.
"""

from npo_tutorial import homework

WRONG = []  # (question, the hint that is meant for it, the answer)
RIGHT = []  # (question, the answer)


def wrong(question, hint):
    return lambda fn: WRONG.append((question, hint, fn)) or fn


def right(question):
    return lambda fn: RIGHT.append((question, fn)) or fn


def hint_for(question, fn, *, seed=0, time_limit=10.0):
    """What the check finds, "" if nothing."""
    try:
        getattr(homework, f"check_{question}")(fn, seed=seed, language="en", time_limit=time_limit)
    except homework.Wrong as error:
        return error.hint
    return ""
