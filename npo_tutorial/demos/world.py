"""Demo of the chapter "miniature": how far a method is from the retrained model, and what it answers."""

import re

import numpy as np

from npo_tutorial import results
from npo_tutorial.demos.text import STEP, rounded
from npo_tutorial.explore import Explorer, Grid, Passage, Path, Points, explore

# of the ten questions with stored answers: birthplace and dish of one person, instrument and prize of two others
SHOWN = (0, 2, 4, 6)


def small_world() -> Explorer:
    """Thirteen runs forget four invented people: forget quality with its sign, utility, and the answers.

    Each run has its own loss, β or optimizer, and seed 0; it is asked after some of its 48 steps. The runs took hours,
    so the demo reads their results from the package. Chapter "miniature".

    Examples
    --------
    >>> small_world().values
    {'method': 'NPO+RT', 'step': 48}
    """
    found = results.load("world")
    models = found["models"]
    titles = {run["title"]: key for key, run in found["settings"]["runs"].items()}
    steps = [0, *found["settings"]["unlearning"]["measured"]]

    def course(method):
        """What was measured, from the model before on; a run that ended early stays where it ended."""
        run = found["runs"][titles[method]]["0"]
        measured = [models["all"], *run["measured"]]
        return measured + [measured[-1]] * (len(steps) - len(measured)), run["steps"][-1]

    def place(*measured):
        return [np.array([of(x)[0] for x in measured], float) for of in (signed_distance, utility)]

    def curves(x, method, step):
        measured, _ = course(method)
        model = measured[steps.index(step)]
        (distance, *across), (kept, *upright) = signed_distance(model), utility(model)
        return {
            "run": Path(*place(*measured)),
            "retrained": Points(*place(models["retained"])),
            "model": Points(*place(model)),
            # a cross, in one stroke
            "interval": Path([*across, distance, distance, distance], [kept, kept, kept, *upright]),
        }

    def passages(method, step):
        measured, _ = course(method)
        model = measured[steps.index(step)]
        # the stored answers are those of every fourth question
        every = -(-len(model["logp_per_token"]) // len(found["questions"]["forget"]))
        return [passage for i in SHOWN for passage in beside(model, i, every * i)]

    def beside(model, i, question):
        """A question with the answer of the model, and below it that of the retrained one."""
        asked = found["questions"]["forget"][i]["prompt"]
        titles = [
            {"en": asked, "zh": f"{found['translated'][i]}（英文原问：“{asked}”）"},
            {"en": "Retrained model", "zh": "重训练模型"},
        ]
        return [
            Passage(
                title,
                [re.sub(r"\s*\n\s*", "\n", of["answers"]["forget"][i].strip())],
                [np.exp(of["logp_per_token"][question])],
            )
            for title, of in zip(titles, (model, models["retained"]), strict=True)
        ]

    def say(method, step):
        measured, last = course(method)
        model = measured[steps.index(step)]
        distance, kept = (with_interval(of(model)) for of in (signed_distance, utility))
        told = [f"{100 * model['facts'][name][0]:.0f}%" for name in ("forget", "retain")]
        quality = model["forget_quality"]["pvalue"]
        p = "< 0.0001" if quality < 1e-4 else f"= {quality:.2g}"
        en, zh = f"{method}, step {step}", f"{method}，第 {step} 步"
        if step > last:
            en, zh = f"{method}, last measured at step {last}", f"{method}，只测到第 {last} 步"
        return {
            "en": f"{en}, with 95% intervals: signed distance {distance} (forget quality p {p}), utility {kept}; "
            f"facts told: {told[0]} of those to forget, {told[1]} of those to retain.",
            "zh": f"{zh}，方括号里是 95% 区间：带符号的距离 {distance}（遗忘质量 p {p}），效用 {kept}；"
            f"要忘的事实说出了 {told[0]}，要留的说出了 {told[1]}。",
        }

    return explore(
        curves,
        np.array([-1.0, 1.0]),
        title={"en": "Where a method ends, and what it then says", "zh": "一种方法走到哪里，又怎样回答"},
        x_label={"en": "signed distance of forget quality", "zh": "遗忘质量的带符号距离"},
        y_label={"en": "utility", "zh": "效用"},
        labels={
            "run": {"en": "the run, from before unlearning", "zh": "这次运行，从遗忘之前起"},
            "retrained": {"en": "retrained model", "zh": "重训练模型"},
            "model": {"en": "the chosen step", "zh": "所选的步"},
            "interval": {"en": "its 95% intervals", "zh": "这一步的 95% 区间"},
        },
        say=say,
        passages=passages,
        passages_label={
            "en": "Four questions to forget, the model’s answers, and below them those of the retrained model; above "
            "each answer, how probable the true one is, in per cent per token.",
            "zh": "四个要忘的问题，先是模型的回答，再是重训练模型的；"
            "每个回答上方是真实回答平均每个词元的概率（百分数）。",
        },
        method=Grid(list(titles), label={"en": "method", "zh": "方法"}, start="NPO+RT"),
        step=Grid(steps, label=STEP, start=48),
    )


def signed_distance(model):
    quality = model["forget_quality"]
    return [quality["signed"], *quality["interval"]]


def utility(model):
    return model["utility"]


def with_interval(row):
    value, low, high = (rounded(x, 2) for x in row)
    return f"{value} [{low}, {high}]"
