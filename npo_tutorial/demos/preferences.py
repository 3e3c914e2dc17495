"""Demos of the chapters "preference-optimization" and "npo": from two responses to one."""

from math import log

import numpy as np

from npo_tutorial.demos.text import BETA, rounded, significant
from npo_tutorial.explore import Explorer, Grid, Points, explore
from npo_tutorial.losses import dpo_loss, npo_loss, npo_weight
from npo_tutorial.theory import log_ratio_at_weight


def dpo_margin() -> Explorer:
    """DPO of one pair against its preference margin: the loss, and the weight of the pair's gradient.

    L = (1/β) log(1 + e^{−βv}), drawn minus its value (log 2)/β at v = 0, and the weight σ(−βv) = −dL/dv, which is
    half of NPO's weight at u = −v. Source: arXiv:2305.18290, equation (7); chapter "preference-optimization".

    Examples
    --------
    >>> dpo_margin().values
    {'beta': 0.5, 'v': -2.0}
    """

    def curves(v, beta):
        zero = np.zeros_like(v) - 20
        loss = dpo_loss(zero + v / 2, zero - v / 2, zero, zero, beta=beta, reduction="none")
        return loss - log(2) / beta, npo_weight(zero - v, zero, beta=beta) / 2

    def draw(x, beta, v):
        loss, weight = curves(x, beta)
        return {
            "L − (log 2)/β": loss,
            "σ(−βv)": weight,
            "v": Points(np.full(2, v), np.concatenate(curves(np.array([v]), beta))),
        }

    def say(beta, v):
        weight = rounded(curves(np.array([v]), beta)[1][0], 2)
        settled = significant(-log_ratio_at_weight(0.2, beta=beta))
        order = np.sign(v).astype(int) + 1
        order_en = ("worse than", "as", "better than")[order]
        order_zh = ("这一对的排序不如参考模型", "这一对的排序与参考模型相同", "这一对的排序好于参考模型")[order]
        return {
            "en": f"The pair is ordered {order_en} under the reference. A step pushes the chosen response up and the "
            f"rejected one down, each with weight σ(−βv) = {weight}. With β = {beta:g} the weight is down to 0.1 at "
            f"v = {settled}.",
            "zh": f"{order_zh}。每一步都把优选回答往上推、把劣选回答往下推，权重都是 σ(−βv) = {weight}。"
            f"β = {beta:g} 时，权重在 v = {settled} 处降到 0.1。",
        }

    return explore(
        draw,
        np.linspace(-5, 5, 81),
        title={"en": "One pair: the DPO loss and its gradient", "zh": "一对回答的 DPO 损失及其梯度"},
        x_label={"en": "preference margin v (nats)", "zh": "偏好间隔 v（奈特）"},
        y_label={"en": "loss (nats), weight", "zh": "损失（奈特）、权重"},
        labels={
            "L − (log 2)/β": {"en": "loss L − (log 2)/β", "zh": "损失 L − (log 2)/β"},
            "σ(−βv)": {"en": "weight σ(−βv)", "zh": "权重 σ(−βv)"},
            "v": {"en": "this pair", "zh": "这一对"},
        },
        say=say,
        beta=Grid([0.1, 0.2, 0.5, 1, 2, 5], label=BETA, scale="log", start=0.5),
        v=Grid(np.linspace(-5, 5, 21), label={"en": "margin v", "zh": "间隔 v"}, start=-2.0),
    )


def dpo_to_npo() -> Explorer:
    """From DPO to NPO: the loss against the log-ratio of the rejected response, for a given one of the chosen response.

    L_DPO = (1/β) log(1 + e^{β(u_rejected − u_chosen)}), its double, and L_NPO = (2/β) log(1 + e^{βu_rejected}); with
    u_chosen = 0 the last two are equal. Source: arXiv:2404.05868, equations (2) and (3); chapter "npo".

    Examples
    --------
    >>> dpo_to_npo().values
    {'beta': 0.5, 'u_chosen': 4.0}
    """

    def losses(u, beta, u_chosen):
        ref = np.full_like(u, -20.0)
        dpo = dpo_loss(ref + u_chosen, ref + u, ref, ref, beta=beta, reduction="none")
        return dpo, 2 * dpo, npo_loss(ref + u, ref, beta=beta, reduction="none")

    def draw(u, beta, u_chosen):
        dpo, doubled, npo = losses(u, beta, u_chosen)
        _, *start = losses(np.zeros(1), beta, u_chosen)
        return {"DPO": dpo, "2·DPO": doubled, "NPO": npo, "u = 0": Points(np.zeros(2), np.concatenate(start))}

    def say(beta, u_chosen):
        weight = rounded(npo_weight([-20.0 - u_chosen], [-20.0], beta=beta)[0], 2)
        if u_chosen == 0:
            return {
                "en": "The winner has not moved, its log-ratio is 0: twice the DPO loss is the NPO loss, at every u. "
                f"At u = 0 both push the rejected response down with weight {weight}, as gradient ascent does.",
                "zh": "优选回答停在原处，对数比是 0：在每个 u 处，两倍的 DPO 损失就是 NPO 损失。"
                f"在 u = 0 处，两者都以权重 {weight} 压低劣选回答，与梯度上升一样。",
            }
        return {
            "en": f"The winner has gained {u_chosen:g} nats. At u = 0, where nothing is forgotten yet, twice DPO "
            f"pushes the rejected response down with weight {weight}, NPO with 1.00: DPO counts the winner’s gain, "
            "NPO has no winner.",
            "zh": f"优选回答的对数概率升高了 {u_chosen:g} 奈特。在 u = 0 处，什么都还没有忘掉，"
            f"两倍的 DPO 压低劣选回答的权重是 {weight}，NPO 的是 1.00："
            "DPO 把优选回答的升高也算在内，而 NPO 没有优选回答。",
        }

    return explore(
        draw,
        np.linspace(-10, 8, 91),
        title={"en": "From DPO to NPO: remove the winner", "zh": "从 DPO 到 NPO：去掉优选回答"},
        x_label={"en": "log-ratio u of the rejected response (nats)", "zh": "劣选回答的对数比 u（奈特）"},
        y_label={"en": "loss (nats)", "zh": "损失（奈特）"},
        say=say,
        beta=Grid([0.2, 0.5, 1, 2, 5], label=BETA, scale="log", start=0.5),
        u_chosen=Grid(
            np.linspace(0, 6, 13),
            label={"en": "log-ratio of the chosen response", "zh": "优选回答的对数比"},
            start=4.0,
        ),
    )
