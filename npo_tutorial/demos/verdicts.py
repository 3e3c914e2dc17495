"""Demo of the chapter "forgotten": two sets of truth ratios, and what forget quality says of them."""

import numpy as np
from scipy.special import ndtri

from npo_tutorial.demos.text import rounded, significant
from npo_tutorial.explore import Explorer, Grid, explore
from npo_tutorial.language.evaluation import forget_quality

SHIFTS = np.arange(-10, 11) / 10
QUESTIONS = (10, 40, 160)
SPREAD = 0.5


def forget_test() -> Explorer:
    """The truth ratios of a model and of the retrained model, and the test between them.

    The logarithms of the retrained model's ratios are the quantiles of a normal distribution, so its curve is smooth;
    the model's are the same, shifted. Chapter "forgotten".

    Examples
    --------
    >>> forget_test().values
    {'shift': 0.5, 'n': 40}
    """

    def log_ratios(n):
        return SPREAD * ndtri((np.arange(int(n)) + 0.5) / int(n))

    def curves(x, shift, n):
        retrained = np.sort(log_ratios(n))
        return {
            name: np.searchsorted(retrained + moved, x, side="right") / len(retrained)
            for name, moved in (("retrained", 0.0), ("model", shift))
        }

    def say(shift, n):
        log_ratio = log_ratios(n)
        found = forget_quality(np.exp(log_ratio + shift), np.exp(log_ratio))
        p = "< 0.001" if found.pvalue < 0.001 else f"= {significant(found.pvalue, 2)}"
        signed = rounded(found.signed, 2)
        if shift == 0:
            en, zh = "the curves coincide", "两条曲线重合"
        elif shift < 0:
            en, zh = "minus, so too little is forgotten", "负号，忘得太少"
        else:
            en, zh = "plus, so too much is forgotten", "正号，忘得太多"
        return {
            "en": f"{int(n)} questions: p {p}, with sign {signed}: {en}.",
            "zh": f"{int(n)} 个问题：p {p}，带符号的距离 {signed}：{zh}。",
        }

    return explore(
        curves,
        np.linspace(-2.5, 2.5, 126),
        title={"en": "Forget quality, and the sign that it loses", "zh": "遗忘质量，和丢掉的符号"},
        x_label={"en": "logarithm of the truth ratio", "zh": "真值比的对数"},
        y_label={"en": "share of questions", "zh": "问题的比例"},
        labels={
            "retrained": {"en": "retrained model", "zh": "重训练模型"},
            "model": {"en": "model", "zh": "模型"},
        },
        say=say,
        shift=Grid(SHIFTS, label={"en": "shift of the model", "zh": "模型的平移"}, start=0.5),
        n=Grid(QUESTIONS, label={"en": "number of questions", "zh": "问题数"}, start=40),
    )
