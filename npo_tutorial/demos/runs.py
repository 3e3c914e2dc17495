"""Demos of the chapters "intro", "divergence", "beyond" and "digits": runs, and what happens to everything else."""

from functools import cache
from math import log
from typing import Any

import numpy as np

from npo_tutorial._types import FloatArray, Loss
from npo_tutorial.data import digits_split, forget_set, theta_with_margins
from npo_tutorial.demos.text import BETA, STEP, outwards, rounded, significant
from npo_tutorial.digits import forget_digits
from npo_tutorial.explore import Band, Explorer, Grid, Images, Marker, Path, Points, explore
from npo_tutorial.logistic import gradient_descent, gradient_flow
from npo_tutorial.theory import divergence_bounds

STEPS = np.unique(np.geomspace(1, 10_000, 61).round().astype(int))


@cache
def run_and_bounds(loss: Loss, beta: float | None, step_size: float, n: int) -> tuple[FloatArray, Band, Band]:
    """‖m − m⁰‖ at each of `STEPS`, and both forms of its bounds, uniform and sharp."""
    X, y = forget_set(n, 64, seed=0)
    options: dict[str, Any] = {"loss": loss, "beta": beta, "step_size": step_size}
    theta_init = theta_with_margins(X, y, 1.0)
    run = gradient_descent(X, y, theta_init, n_steps=int(STEPS[-1]), record=STEPS, **options)
    forms = (divergence_bounds(X, y, theta_init, sharp=sharp, **options) for sharp in (False, True))
    uniform, sharp = (Band(form.lower(STEPS), form.upper(STEPS)) for form in forms)
    return run.distance, uniform, sharp


def divergence() -> Explorer:
    """Theorem 6.1, measured: how far the logits of a forget set have moved after t steps of GA and of NPO.

    ‖m − m⁰‖ of gradient descent on n orthonormal rows with margins 1; for late steps GA's is √n ηt/n and NPO's grows
    by √n/β for each factor e of t. Both have bands, the bounds with uniform constants; NPO also has the sharper ones. A
    button makes both axes linear. Source: arXiv:2404.05868, Theorem 2; chapter "divergence".

    Examples
    --------
    >>> divergence().values
    {'beta': 1.0, 'step_size': 0.4, 'n': 4}
    """

    def runs(beta, step_size, n):
        return run_and_bounds("ga", None, step_size, int(n)), run_and_bounds("npo", beta, step_size, int(n))

    def draw(t, beta, step_size, n):
        (ga, ga_uniform, _), (npo, uniform, sharp) = runs(beta, step_size, n)
        return {"GA": ga, "NPO": npo, "GA uniform": ga_uniform, "NPO uniform": uniform, "NPO sharp": sharp}

    def say(beta, step_size, n):
        (ga, *_), (npo, uniform, sharp) = runs(beta, step_size, n)
        decade = np.searchsorted(STEPS, 1000)
        numbers = ga[-1], npo[-1], npo[-1] - npo[decade], np.sqrt(n) / beta * log(10)
        ga, npo, added, predicted = (significant(number) for number in numbers)
        (lo, hi), (sharp_lo, sharp_hi) = (outwards(band.lo[-1], band.hi[-1]) for band in (uniform, sharp))
        return {
            "en": f"After 10000 steps GA has moved the logits by {ga}, NPO by {npo}. The theorem with uniform "
            f"constants puts NPO between {lo} and {hi}, the sharper one between {sharp_lo} and {sharp_hi}. The last "
            f"ten-fold increase of t added {added} to NPO’s distance; for large t the prediction is (√n/β) log 10 = "
            f"{predicted}.",
            "zh": f"10000 步之后，对数几率移动的距离，GA 是 {ga}，NPO 是 {npo}。对于 NPO，"
            f"用统一常数的定理给出的范围是 {lo} 到 {hi}，更精细的定理给出 {sharp_lo} 到 {sharp_hi}。"
            f"在步数的最后一个数量级里，NPO 的距离只增加 {added}；t 很大时的预测值是 (√n/β) log 10 = {predicted}。",
        }

    return explore(
        draw,
        STEPS.astype(float),
        title={"en": "Distance from the start of GA and of NPO", "zh": "GA 与 NPO 离起点的距离"},
        x_label=STEP,
        y_label={"en": "distance ‖m − m⁰‖", "zh": "距离 ‖m − m⁰‖"},
        x_scale="log",
        y_scale="log",
        switch_axes=True,
        labels={
            "GA uniform": {"en": "GA, uniform bounds", "zh": "GA，统一常数的上下界"},
            "NPO uniform": {"en": "NPO, uniform bounds", "zh": "NPO，统一常数的上下界"},
            "NPO sharp": {
                "en": "NPO, sharper bounds, as thin as the line",
                "zh": "NPO，更精细的上下界，窄得与曲线重合",
            },
        },
        say=say,
        beta=Grid([0.25, 0.5, 1, 2], label=BETA, scale="log", start=1),
        step_size=Grid([0.1, 0.4, 1], label={"en": "step size η", "zh": "步长 η"}, scale="log", start=0.4),
        n=Grid([2, 4, 8, 16], label={"en": "samples n", "zh": "样本数 n"}, scale="log", start=4),
    )


def opposed() -> Explorer:
    """Two samples that push each other up: the margins of both under the flow of NPO and of GA.

    Two unit rows with G₁₂ = −c and margins 2 and 0 at the start. Sample 2 is forgotten first and raises the margin of
    sample 1 like (c/β) log τ; the pull of sample 1 is about τ^(−c/β), so under NPO only c > β can keep it from being
    forgotten. Curves of GA end at τ = 60. Source: the model of arXiv:2404.05868, Theorem 2; chapter "beyond".

    Examples
    --------
    >>> opposed().values
    {'beta': 0.5, 'c': 0.6}
    """
    tau, early = np.geomspace(0.1, 1e9, 61), np.geomspace(0.1, 60, 41)

    @cache
    def margins(beta, c, *, ga=False):
        """Of both samples at each time, (2, time) array."""
        X, y = np.array([[1, 0], [-c, np.sqrt(1 - c**2)]]), [1, 1]
        options = {"loss": "ga", "times": 2 * early} if ga else {"loss": "npo", "beta": beta, "times": 2 * tau}
        return gradient_flow(X, y, theta_with_margins(X, y, [2.0, 0.0]), **options).margins.T

    def draw(x, beta, c):
        npo, ga = margins(beta, c), margins(None, c, ga=True)
        return {"NPO m₁": npo[0], "NPO m₂": npo[1], "GA m₁": Path(early, ga[0]), "GA m₂": Path(early, ga[1])}

    def say(beta, c):
        first, ga = margins(beta, c)[0], margins(None, c, ga=True)[0]
        end, highest = rounded(first[-1], 1), rounded(first.max(), 1)
        learned, learned_by_ga = first[-1] > first[-2], ga[-1] > ga[-2]
        order = f"c = β = {c:g}" if c == beta else f"c = {c:g} {'>' if c > beta else '<'} β = {beta:g}"
        if learned:
            en = f"learns sample 1: at τ = 10⁹ its margin is {end} and still rises"
            zh = f"学会了样本 1：到 τ = 10⁹，它的间隔是 {end}，还在上升"
        else:
            en = f"forgets sample 1: its margin is at most {highest}, and {end} at τ = 10⁹"
            zh = f"忘掉了样本 1：它的间隔最高到 {highest}，到 τ = 10⁹ 时是 {end}"
        ga_en, ga_zh = ("learns", "学会") if learned_by_ga else ("forgets", "忘掉")
        too, also = (" too", "也") if learned == learned_by_ga else ("", "")
        return {
            "en": f"With {order} NPO {en}. GA {ga_en} it{too}.",
            "zh": f"{order} 时，NPO {zh}。GA {also}{ga_zh}了它。",
        }

    return explore(
        draw,
        tau,
        title={"en": "Two samples that push each other up", "zh": "两个互相往上推的样本"},
        x_label={"en": "time τ", "zh": "时间 τ"},
        y_label={"en": "margin", "zh": "间隔"},
        x_scale="log",
        labels={
            "NPO m₁": {"en": "NPO: sample 1", "zh": "NPO：样本 1"},
            "NPO m₂": {"en": "NPO: sample 2", "zh": "NPO：样本 2"},
            "GA m₁": {"en": "GA: sample 1, until τ = 60", "zh": "GA：样本 1，画到 τ = 60"},
            "GA m₂": {"en": "GA: sample 2", "zh": "GA：样本 2"},
        },
        say=say,
        beta=Grid([0.3, 0.5, 0.75, 1, 2], label=BETA, scale="log", start=0.5),
        c=Grid(np.arange(10) / 10, label={"en": "opposition c = −G₁₂", "zh": "对立程度 c = −G₁₂"}, start=0.6),
    )


def decision_boundary() -> Explorer:
    """The boundary of a logistic model in the plane while five points between the classes are being forgotten.

    P(y = 1|x) = σ(θ₀ + θ₁x₁ + θ₂x₂), trained by scikit-learn on all points, then η = 0.1 and full-batch descent on the
    loss of the forget points, all of class 1 and with mean 0: in the long run their gradients add up to a shift, and
    the boundary moves up, at a constant speed under GA and like log t under NPO. (Around another mean it would
    turn as well.) Source: the losses of arXiv:2404.05868; chapter "intro".

    Examples
    --------
    >>> decision_boundary().values
    {'beta': 1.0, 't': 100.0}
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    classes = rng.normal((0.5, -2.2), (1.3, 0.7), (20, 2)), rng.normal((-0.3, 1.6), (1.3, 0.8), (20, 2))
    forget = rng.normal(0, (0.9, 0.35), (5, 2))
    forget = forget - forget.mean(axis=0)
    X = np.column_stack([np.ones(45), np.concatenate([*classes, forget])])
    y = np.repeat([0, 1, 1], [20, 20, 5])
    trained = LogisticRegression(fit_intercept=False).fit(X, y).coef_[0]
    steps = np.arange(0, 201, 5)

    @cache
    def path(beta):
        """θ at each step; GA for β = None."""
        options = {"loss": "ga" if beta is None else "npo", "beta": beta, "step_size": 0.1}
        return gradient_descent(X[40:], y[40:], trained, n_steps=200, record=steps, **options).theta(slice(None))

    def thetas(beta, t):
        k = np.searchsorted(steps, t)
        return path(None)[k], path(beta)[k]

    def draw(x, beta, t):
        ga, npo = (-(theta[0] + theta[1] * x) / theta[2] for theta in thetas(beta, t))
        points = {"y = 0": Points(*classes[0].T), "y = 1": Points(*classes[1].T), "D_FG": Points(*forget.T)}
        return {"GA": ga, "NPO": npo} | points

    def say(beta, t):
        (ga, left_ga), (npo, left_npo) = (
            (np.mean((X[:40] @ theta > 0) == y[:40]), np.sum(X[40:] @ theta > 0)) for theta in thetas(beta, t)
        )
        ga_height, npo_height = (rounded(-theta[0] / theta[2], 1) for theta in thetas(beta, t))
        return {
            "en": f"After {t:g} steps the boundary of GA is at x₂ = {ga_height} for x₁ = 0: {left_ga} of 5 forget "
            f"points and {ga:.0%} of the retain points are classified correctly. "
            f"NPO with β = {beta:g}: x₂ = {npo_height}, {left_npo} of 5 and {npo:.0%}.",
            "zh": f"{t:g} 步之后，GA 的边界在 x₁ = 0 处位于 x₂ = {ga_height}："
            f"5 个遗忘点中还有 {left_ga} 个分类正确，保留点的准确率为 {ga:.0%}。"
            f"NPO（β = {beta:g}）的边界位于 x₂ = {npo_height}，还有 {left_npo} 个分类正确，准确率为 {npo:.0%}。",
        }

    return explore(
        draw,
        np.linspace(-4, 4, 9),
        title={"en": "The boundary while five points are forgotten", "zh": "忘掉五个点时，分类边界怎样移动"},
        x_label="x₁",
        y_label="x₂",
        labels={
            "GA": {"en": "boundary of GA", "zh": "GA 的边界"},
            "NPO": {"en": "boundary of NPO", "zh": "NPO 的边界"},
            "y = 0": {"en": "keep, y = 0", "zh": "保留，y = 0"},
            "y = 1": {"en": "keep, y = 1", "zh": "保留，y = 1"},
            "D_FG": {"en": "forget, y = 1", "zh": "遗忘，y = 1"},
        },
        say=say,
        animate="t",
        beta=Grid([0.2, 0.5, 1, 2, 5], label=BETA, scale="log", start=1),
        t=Grid(steps.astype(float), label=STEP, start=100.0),
    )


def digits() -> Explorer:
    """Ten digits to forget: how many are still recognised, and what happens to the images to be kept.

    Accuracy on the forget images and on the retain images after each step of GA and of NPO on the first split of
    `digits_split`, with η = 1. Each of the ten images is as opaque as the probability π_θ(y|x) of its label. Source:
    the losses of arXiv:2404.05868, data of scikit-learn; chapter "digits".

    Examples
    --------
    >>> digits().values
    {'beta': 2.0, 't': 63.0}
    """
    split = digits_split((3, 8), n_forget=10, seed=0)
    steps = np.unique(np.geomspace(1, 1000, 61).round().astype(int))

    @cache
    def run(beta):
        """GA for β = None."""
        return forget_digits(split, loss="ga" if beta is None else "npo", beta=beta)

    def draw(x, beta, t):
        curves, rows = {}, {}
        for name, done in {"GA": run(None), "NPO": run(beta)}.items():
            curves[f"{name} D_RT"] = done.retain_accuracy[steps]
            curves[f"{name} D_FG"] = done.remembered[steps] / 10
            rows[f"{name} π"] = Images(np.exp(done.logp[int(t)]))
        return curves | {"t": Marker(t)} | rows

    def say(beta, t):
        t = int(t)
        (ga, left_ga), (npo, left_npo) = (
            (done.retain_accuracy[t], done.remembered[t]) for done in (run(None), run(beta))
        )
        return {
            "en": f"At step {t} GA still recognises {left_ga} of the 10 forget images and {ga:.0%} of the "
            f"retain images; NPO with β = {beta:g}: {left_npo} of 10 and {npo:.0%}.",
            "zh": f"第 {t} 步时，GA 在 10 张遗忘图像中还认得 {left_ga} 张，保留图像的准确率为 {ga:.0%}；"
            f"NPO（β = {beta:g}）还认得 {left_npo} 张，准确率为 {npo:.0%}。",
        }

    return explore(
        draw,
        steps.astype(float),
        title={"en": "Ten digits to forget, and all the others", "zh": "忘掉十张图像，其余的怎样了"},
        x_label=STEP,
        y_label={"en": "accuracy", "zh": "准确率"},
        x_scale="log",
        y_limits=(-0.02, 1.04),
        labels={
            "GA D_RT": {"en": "GA, images to keep", "zh": "GA，要保留的图像"},
            "GA D_FG": {"en": "GA, images to forget", "zh": "GA，要忘掉的图像"},
            "NPO D_RT": {"en": "NPO, images to keep", "zh": "NPO，要保留的图像"},
            "NPO D_FG": {"en": "NPO, images to forget", "zh": "NPO，要忘掉的图像"},
            "t": {"en": "this step", "zh": "这一步"},
            "GA π": {
                "en": "The ten images under GA, each as opaque as its label is probable",
                "zh": "GA 下的十张图像，越清晰，模型给正确标签的概率越大",
            },
            "NPO π": {"en": "The same under NPO", "zh": "NPO 下的这十张图像"},
        },
        images=np.clip(split.X_forget + split.mean_image, 0, 1),
        say=say,
        animate="t",
        beta=Grid([0.5, 1, 2, 5], label=BETA, scale="log", start=2),
        t=Grid(np.unique(np.geomspace(1, 1000, 31).round()), label=STEP, scale="log", start=63.0),
    )
