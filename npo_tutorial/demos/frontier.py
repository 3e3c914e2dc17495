"""Demo of the chapter "synthetic": the price and the pace of forgetting."""

import numpy as np

from npo_tutorial import synthetic
from npo_tutorial.demos.text import BETA, STEP, significant
from npo_tutorial.explore import Explorer, Grid, Panel, Path, Points, explore

STEP_SIZES = (5e-4, 2e-3, 5e-3)
BETAS = (0.01, 0.1, 0.5, 1)
FORGET = {"en": "forget distance (nats)", "zh": "遗忘距离（奈特）"}


def pareto() -> Explorer:
    """The synthetic experiment's runs in the plane of both distances, and step by step.

    Every method of `synthetic.run` at α = 1 on the problem of seed 0, 2,000 steps, next to GA at the paper's learning
    rate. IDK and GA have no β. Source: arXiv:2404.05868, Section 4; chapter "synthetic".

    Examples
    --------
    >>> pareto().values
    {'method': 'NPO', 'beta': 1.0, 'step_size': 0.005}
    """
    steps = np.unique(np.geomspace(10, 2000, 54).round().astype(int))
    needs_beta = {method: method.startswith(("NPO", "DPO")) for method in synthetic.METHODS}
    settings = [
        (method, beta, step_size)
        for method in synthetic.METHODS
        for beta in (BETAS if needs_beta[method] else (None,))
        for step_size in STEP_SIZES
    ]
    methods, betas, step_sizes = zip(*settings, strict=True)
    problem = synthetic.make_problem(1, 0)
    runs = synthetic.run(methods, problem, beta=betas, step_size=step_sizes, n_steps=2000, record=steps)

    def distances(method, beta, step_size):
        i = settings.index((method, beta if needs_beta[method] else None, step_size))
        return runs.forget_distance[i], runs.retain_distance[i]

    reference = distances("GA", None, STEP_SIZES[0])

    def plane(x, method, beta, step_size):
        forget, retain = distances(method, beta, step_size)
        best = [forget.argmin()]
        return {"run": Path(forget, retain), "GA": Path(*reference), "best": Points(forget[best], retain[best])}

    def over_time(t, method, beta, step_size):
        forget, _ = distances(method, beta, step_size)
        best = [forget.argmin()]
        return {"run": forget, "GA": reference[0], "best": Points(steps[best].astype(float), forget[best])}

    def say(method, beta, step_size):
        forget, retain = distances(method, beta, step_size)
        best = forget.argmin()
        name = {"en": method, "zh": method}
        if needs_beta[method]:
            name = {"en": f"{method} with β = {beta:g}", "zh": f"{method}（β = {beta:g}）"}
        numbers = [significant(value) for value in (forget[best], retain[best], forget[-1], retain[-1])]
        return {
            "en": f"{name['en']}, η = {step_size:g}: at step {steps[best]} nearest to the retrained model on the "
            f"forget cloud, forget distance {numbers[0]}, retain distance {numbers[1]}. "
            f"After 2000 steps {numbers[2]} and {numbers[3]}.",
            "zh": f"{name['zh']}，η = {step_size:g}：第 {steps[best]} 步时在遗忘点上最接近重训练模型，"
            f"遗忘距离为 {numbers[0]}，保留距离为 {numbers[1]}；2000 步之后分别为 {numbers[2]} 和 {numbers[3]}。",
        }

    return explore(
        plane,
        reference[0],
        title={"en": "The price of forgetting, and its pace", "zh": "遗忘的代价与快慢"},
        x_label=FORGET,
        y_label={"en": "retain distance (nats)", "zh": "保留距离（奈特）"},
        x_scale="log",
        y_scale="log",
        beside=Panel(over_time, steps.astype(float), x_label=STEP, y_label=FORGET, x_scale="log", y_scale="log"),
        labels={
            "run": {"en": "the chosen run", "zh": "所选的一次运行"},
            "GA": {"en": "GA, η = 0.0005", "zh": "GA，η = 0.0005"},
            "best": {"en": "its smallest forget distance", "zh": "遗忘距离最小处"},
        },
        say=say,
        method=Grid(synthetic.METHODS, label={"en": "method", "zh": "方法"}, start="NPO"),
        beta=Grid(BETAS, label=BETA, scale="log", start=1),
        step_size=Grid(STEP_SIZES, label={"en": "learning rate η", "zh": "学习率 η"}, scale="log", start=5e-3),
    )
