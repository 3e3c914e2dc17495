"""Demo of the chapter "language-model": the answers of a model while it forgets."""

import numpy as np

from npo_tutorial import results
from npo_tutorial.demos.text import STEP, rounded
from npo_tutorial.explore import Explorer, Grid, Marker, Passage, explore

SETS: dict[str, str | dict[str, str]] = {
    "forget": {"en": "forget set (France)", "zh": "遗忘集（法国）"},
    "retain": {"en": "retain set", "zh": "保留集"},
    "held_out": {"en": "held-out questions", "zh": "留出问题"},
}
MARKS = {
    "forget": {"en": " (to forget)", "zh": "（要忘掉）"},
    "retain": {"en": " (to retain)", "zh": "（要留下）"},
    "held_out": {"en": " (held out)", "zh": "（留出）"},
}


def answers() -> Explorer:
    """SmolLM2's answers to six questions while it forgets eight facts about France, token by token.

    Eight methods, 50 steps of AdamW; the curves are nats per token of the true answers. The runs took an hour, so the
    demo reads their results from the package. Chapter "language-model".

    Examples
    --------
    >>> demo = answers()
    >>> demo.values
    {'method': 'GA', 'step': 10}
    """
    found = results.load("language_model")
    runs, questions = found["runs"], found["questions"]
    steps = np.array(next(iter(runs.values()))["steps"], float)
    answered = [int(step) for step in next(iter(runs.values()))["answers"]]

    def per_token(method, name):
        return np.array(runs[method][name]).sum(axis=1) / sum(found["lengths"][name])

    def curves(x, method, step):
        return {name: per_token(method, name) for name in SETS} | {"step": Marker(step)}

    def passages(method, step):
        return [
            Passage(
                {language: question["prompt"] + MARKS[question["set"]][language] for language in ("en", "zh")},
                pieces,
                np.array(per_cent) / 100,
            )
            for question, (pieces, per_cent) in zip(questions, runs[method]["answers"][str(step)], strict=True)
        ]

    def say(method, step):
        k = runs[method]["steps"].index(step)
        numbers = [rounded(per_token(method, name)[k], 1) for name in SETS]
        return {
            "en": f"{method}, step {step}: nats per token of the true answers: forget set {numbers[0]}, retain set "
            f"{numbers[1]}, held-out questions {numbers[2]}.",
            "zh": f"{method}，第 {step} 步：正确回答平均每个词元的对数概率（奈特），遗忘集为 {numbers[0]}，"
            f"保留集为 {numbers[1]}，留出问题为 {numbers[2]}。",
        }

    return explore(
        curves,
        steps,
        title={"en": "What the model answers while it forgets", "zh": "遗忘途中，模型怎样回答"},
        x_label=STEP,
        y_label={"en": "nats per token", "zh": "每词元的对数概率（奈特）"},
        labels=SETS | {"step": {"en": "the chosen step", "zh": "所选的步"}},
        say=say,
        passages=passages,
        passages_label={
            "en": "The model’s own answers, cut off after 20 tokens; above each token its probability in per cent.",
            "zh": "模型自己的回答，最多 20 个词元；每个词元上方是它的概率（百分数）。",
        },
        method=Grid(list(runs), label={"en": "method", "zh": "方法"}),
        step=Grid(answered, label=STEP, start=10),
    )
