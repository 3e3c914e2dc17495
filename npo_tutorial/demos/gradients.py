"""Demos of the chapters "gradient-ascent" and "stability": the limit β → 0, and the adaptive weight."""

from functools import cache
from math import log

import numpy as np

from npo_tutorial.demos.text import BETA, LOG_RATIO, STEP, listed, rounded, significant
from npo_tutorial.explore import Explorer, Grid, Points, explore
from npo_tutorial.logistic import logistic_gradient
from npo_tutorial.losses import npo_loss, npo_weight
from npo_tutorial.theory import npo_gap, npo_gap_series


def beta_to_zero() -> Explorer:
    """Proposition 4.1: centred NPO of one sample approaches GA as β → 0.

    (2/β) log((1 + e^{βu})/2) against u. The gap (2/β) log cosh(βu/2) is to first order (β/4)u². Source:
    arXiv:2404.05868, Proposition 1; chapter "gradient-ascent".

    Examples
    --------
    >>> beta_to_zero().values
    {'beta': 0.1, 'u': -10.0}
    """

    def npo(u, beta):
        ref = np.full_like(u, -6.0)
        return npo_loss(ref + u, ref, beta=beta, reduction="none", centered=True)

    def draw(x, beta, u):
        at = np.array([u])
        return {"NPO": npo(x, beta), "GA": x, "u": Points(np.repeat(at, 2), np.concatenate([npo(at, beta), at]))}

    def say(beta, u):
        if u == 0:
            return {
                "en": "At u = 0 the two losses touch, with the same slope, for every β.",
                "zh": "在 u = 0 处，不论 β 取何值，两个损失都相切。",
            }
        gap, prediction = npo_gap([u], beta=beta), npo_gap_series([u], beta=beta, n_terms=1)
        gap_text, prediction_text, u_text = significant(gap), significant(prediction), rounded(u, 0)
        excess = prediction / gap - 1
        if excess < 0.005:
            judged = {"en": "right to within 0.5%", "zh": "误差不到 0.5%"}
        elif excess < 0.5:
            percent = significant(100 * excess, 2)
            judged = {"en": f"{percent}% too large", "zh": f"偏大 {percent}%"}
        else:
            times = significant(prediction / gap, 2)
            judged = {"en": f"{times} times as large: β|u| is not small", "zh": f"是实际的 {times} 倍：β|u| 不小"}
        return {
            "en": f"β = {beta:g}: at u = {u_text} NPO lies {gap_text} nats above the line of GA. "
            f"The prediction (β/4)u² = {prediction_text} is {judged['en']}.",
            "zh": f"β = {beta:g}：在 u = {u_text} 处，NPO 比 GA 的直线高 {gap_text} 奈特。"
            f"预测值 (β/4)u² = {prediction_text}，{judged['zh']}。",
        }

    return explore(
        draw,
        np.linspace(-20, 5, 76),
        title={"en": "β → 0: centred NPO approaches GA", "zh": "β → 0：中心化的 NPO 趋于 GA"},
        x_label=LOG_RATIO,
        y_label={"en": "loss minus its value at u = 0 (nats)", "zh": "损失减去 u = 0 处的值（奈特）"},
        labels={
            "NPO": {"en": "NPO, centred", "zh": "中心化的 NPO"},
            "u": {"en": "at the chosen u", "zh": "在选定的 u 处"},
        },
        say=say,
        beta=Grid([d * 10.0**k for k in (-3, -2, -1, 0) for d in (1, 2, 5)] + [10], label=BETA, scale="log", start=0.1),
        u=Grid(np.arange(-20.0, 6.0), label=LOG_RATIO, start=-10.0),
    )


def adaptive_weight() -> Explorer:
    """A small weight is not a small gradient: two orthogonal samples, one forgotten, the other set by the reader.

    The second sample's weight w = 2σ(βu), ‖∇L_GA‖ and ‖∇L_NPO‖ of the logistic model as functions of its u. Both
    margins are 0 at the reference, so log π_ref = −log 2; the first one is −40 now. Source: arXiv:2404.05868, Section
    3.2; the counterexample, u = 0, is the chapter's, "stability".

    Examples
    --------
    >>> adaptive_weight().values
    {'beta': 1.0, 'u': 0.0}
    """
    X, y, ref, forgotten = np.eye(2), [1, 1], np.zeros(2), -40.0
    u_forgotten = -np.logaddexp(0, -forgotten) + log(2)

    def weight(u, beta):
        return npo_weight(u - log(2), np.full_like(u, -log(2)), beta=beta)

    @cache
    def norms(beta, u):
        """‖∇L_GA‖ and ‖∇L_NPO‖."""
        # the margin at which log σ(m) = u − log 2
        theta = np.array([forgotten, -log(2 * np.exp(-u) - 1)])
        ga = logistic_gradient(X, y, theta, loss="ga")
        npo = logistic_gradient(X, y, theta, loss="npo", beta=beta, theta_ref=ref)
        return np.linalg.norm(ga), np.linalg.norm(npo)

    def draw(x, beta, u):
        ga, npo = np.transpose([norms(beta, each) for each in x])
        here = [*weight(np.array([u]), beta), *norms(beta, u)]
        return {"w₂": weight(x, beta), "‖∇GA‖": ga, "‖∇NPO‖": npo, "u₂": Points(np.full(3, u), np.array(here))}

    def say(beta, u):
        weights = weight(np.array([u_forgotten, u]), beta)
        ga, npo = norms(beta, u)
        w1, w2, largest, share = (rounded(value, 2) for value in (*weights, weights.max(), npo / ga))
        small = weights.max() < 0.1
        return {
            "en": f"Sample 1 is forgotten: u₁ = {rounded(u_forgotten, 1)}, w₁ = {w1}. Sample 2 is at "
            f"u₂ = {rounded(u, 0)}, w₂ = {w2}. The largest weight is {largest}, and ‖∇NPO‖ is {share} of ‖∇GA‖: "
            + ("small, because both weights are." if small else "a single weight that is not small keeps it up."),
            "zh": f"样本 1 已被忘掉：u₁ = {rounded(u_forgotten, 1)}，w₁ = {w1}。"
            f"样本 2 在 u₂ = {rounded(u, 0)}，w₂ = {w2}。最大的权重是 {largest}，‖∇NPO‖ 是 ‖∇GA‖ 的 {share} 倍："
            + ("两个权重都小，梯度也就小。" if small else "只要有一个权重不小，梯度就不小。"),
        }

    return explore(
        draw,
        np.linspace(-20, 0, 81),
        title={"en": "Two samples, one forgotten: weights and gradients", "zh": "两个样本，忘掉一个：权重与梯度"},
        x_label=LOG_RATIO,
        y_label={"en": "weight, norms of the gradients", "zh": "权重、梯度的范数"},
        y_limits=(-0.03, 1.05),
        labels={
            "w₂": {"en": "weight w₂", "zh": "权重 w₂"},
            "u₂": {"en": "sample 2 now", "zh": "样本 2 现在的位置"},
        },
        say=say,
        beta=Grid([0.1, 0.2, 0.5, 1, 2], label=BETA, scale="log", start=1),
        u=Grid(
            np.linspace(-20, 0, 21), label={"en": "log-ratio u₂ of sample 2", "zh": "样本 2 的对数比 u₂"}, start=0.0
        ),
    )


def softmax_policy() -> Explorer:
    """A policy with three answers forgets the first one, step by step, under GA and under NPO.

    Gradient descent in the logits z of π = softmax(z): z ← z − ηw(e₁ − π), with w = 1 for GA and w = 2σ(βu) for NPO;
    e₁ − π is the gradient of log π(1). At the start π = (0.7, 0.2, 0.1), and η = 0.25. The chart shows the answer to be
    forgotten and the least likely of the others; the sentence gives all three. Source: the losses of arXiv:2404.05868;
    chapter "stability".

    Examples
    --------
    >>> softmax_policy().values
    {'beta': 2.0, 't': 20.0}
    """
    steps, start, step_size = np.arange(61), np.array([0.7, 0.2, 0.1]), 0.25

    @cache
    def probabilities(beta):
        """(step, answer) array; GA for β = None."""
        policies, z = [], np.log(start)
        for _ in steps:
            logp = z - np.logaddexp.reduce(z)
            policies.append(np.exp(logp))
            weight = 1.0 if beta is None else npo_weight(logp[:1], np.log(start[:1]), beta=beta)
            z = z - step_size * weight * (np.eye(3)[0] - np.exp(logp))
        return np.array(policies)

    def draw(x, beta, t):
        runs = {"GA": probabilities(None), "NPO": probabilities(beta)}
        lines = {f"{name} π{'₁₂₃'[k]}": run[:, k] for name, run in runs.items() for k in (0, 2)}
        return lines | {"t": Points(np.full(4, t), np.array([line[int(t)] for line in lines.values()]))}

    def say(beta, t):
        ga, npo = probabilities(None)[int(t)], probabilities(beta)[int(t)]
        en, zh = "", ""
        if ga[2] < start[2] / 2:
            en = " GA has lowered answer 3 too, which it was not asked to forget."
            zh = "GA 连回答 3 也压低了，可谁也没有要它忘掉回答 3。"
        return {
            "en": f"Step {t:g}, answer 1 is to be forgotten. GA: {listed(ga)}. "
            f"NPO with β = {beta:g}: {listed(npo)}.{en}",
            "zh": f"第 {t:g} 步，要忘掉的是回答 1。GA：{listed(ga, '、')}；"
            f"NPO（β = {beta:g}）：{listed(npo, '、')}。{zh}",
        }

    return explore(
        draw,
        steps.astype(float),
        title={"en": "Three answers, the first to be forgotten", "zh": "三个回答，忘掉第一个"},
        x_label=STEP,
        y_label={"en": "probability", "zh": "概率"},
        y_limits=(-0.02, 0.8),
        labels={
            "GA π₁": {"en": "GA: answer 1, to be forgotten", "zh": "GA：要忘掉的回答 1"},
            "GA π₃": {"en": "GA: answer 3", "zh": "GA：回答 3"},
            "NPO π₁": {"en": "NPO: answer 1", "zh": "NPO：回答 1"},
            "NPO π₃": {"en": "NPO: answer 3", "zh": "NPO：回答 3"},
            "t": {"en": "this step", "zh": "这一步"},
        },
        say=say,
        animate="t",
        beta=Grid([0.5, 1, 2, 5], label=BETA, scale="log", start=2),
        t=Grid(steps.astype(float), label=STEP, start=20.0),
    )
