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
        return [np.array([of(x) for x in measured], float) for of in (signed_distance, utility)]

    def curves(x, method, step):
        measured, _ = course(method)
        return {
            "run": Path(*place(*measured)),
            "retrained": Points(*place(models["retained"])),
            "model": Points(*place(measured[steps.index(step)])),
        }

    def passages(method, step):
        measured, _ = course(method)
        model = measured[steps.index(step)]
        forget, retrained = found["questions"]["forget"], models["retained"]["answers"]["forget"]
        # the stored answers are those of every fourth question
        every = -(-len(model["logp_per_token"]) // len(forget))
        return [
            Passage(
                {
                    "en": f"{forget[i]['prompt']} (Retrained model: “{retrained[i]}”)",
                    "zh": f"{found['translated'][i]}（英文原问：“{forget[i]['prompt']}”；"
                    f"重训练模型答：“{retrained[i]}”）",
                },
                [re.sub(r"\s*\n\s*", "\n", model["answers"]["forget"][i].strip())],
                [np.exp(model["logp_per_token"][every * i])],
            )
            for i in SHOWN
        ]

    def say(method, step):
        measured, last = course(method)
        model = measured[steps.index(step)]
        distance, kept = rounded(signed_distance(model), 2), rounded(utility(model), 2)
        told = [f"{100 * model['facts'][name][0]:.0f}%" for name in ("forget", "retain")]
        quality = model["forget_quality"]["pvalue"]
        p = "< 0.0001" if quality < 1e-4 else f"= {quality:.2g}"
        en, zh = f"{method}, step {step}", f"{method}，第 {step} 步"
        if step > last:
            en, zh = f"{method}, last measured at step {last}", f"{method}，只测到第 {last} 步"
        return {
            "en": f"{en}: signed distance {distance} (forget quality p {p}), utility {kept}; "
            f"facts told: {told[0]} of those to forget, {told[1]} of those to retain.",
            "zh": f"{zh}：带符号的距离 {distance}（遗忘质量 p {p}），效用 {kept}；"
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
        },
        say=say,
        passages=passages,
        passages_label={
            "en": "Four questions to forget, and the model’s answers; above each answer, how probable the true one is, "
            "in per cent per token.",
            "zh": "四个要忘的问题和模型的回答；每个回答上方是真实回答平均每个词元的概率（百分数）。",
        },
        method=Grid(list(titles), label={"en": "method", "zh": "方法"}, start="NPO+RT"),
        step=Grid(steps, label=STEP, start=48),
    )


def signed_distance(model):
    return model["forget_quality"]["signed"]


def utility(model):
    return model["utility"][0]
