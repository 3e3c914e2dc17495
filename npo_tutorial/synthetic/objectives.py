"""The objectives of the methods, as derivatives in the logits: a forget loss, and a retain term for some.

Every forget loss pushes the label y of a sample down with a weight a ≥ 0, and pulls an uninformative label y′ up with
a weight b ≥ 0: its gradient is E[a ∇log π_θ(y|x) − b ∇log π_θ(y′|x)].

========  ===========================================================  ==================  ==================
loss      minimised on the forget set                                  a                   b
========  ===========================================================  ==================  ==================
``ga``    E log π_θ(y|x)                                               1                   0
``idk``   −E log π_θ(y′|x)                                             0                   1
``npo``   (2/β) E log(1 + e^{βu})                                      2σ(βu)              0
``dpo``   (2/β) E log(1 + e^{β(u − u′)})                               2σ(β(u − u′))       2σ(β(u − u′))
========  ===========================================================  ==================  ==================

u and u′ are the log-ratios of y and y′. A retain term adds a multiple of the mean over the retain set of the
cross-entropy −log π_θ(y|x), of KL(π_ref‖π_θ) or of KL(π_θ‖π_ref).
"""

import numpy as np
from scipy.special import expit, log_expit

from npo_tutorial._types import RetainTerm

# method → the loss on the forget set, and whether a retain term is added
TERMS = {
    "GA": ("ga", False),
    "GA+RT": ("ga", True),
    "IDK+RT": ("idk", True),
    "NPO": ("npo", False),
    "NPO+RT": ("npo", True),
    "DPO+RT": ("dpo", True),
}
METHODS = tuple(TERMS)
NEEDS_BETA = ("npo", "dpo")
RETAIN_TERMS: tuple[RetainTerm, ...] = ("cross_entropy", "kl_ref_model", "kl_model_ref")


def has_retain_term(method: str) -> bool:
    return TERMS[method][1]


class Objective:
    """The objectives of k runs on one problem: `rows` of features, and the `derivative` of each in the logits.

    Either all runs have a retain term or none has; without one the rows of the retain set are left out.
    """

    def __init__(self, problem, settings, retain_term):
        self.forget, self.n_forget = _ForgetLoss(problem, settings), len(problem.X_forget)
        self.rows, self.retain = problem.X_forget, None
        if has_retain_term(settings[0].method):
            self.rows = np.concatenate([problem.X_forget, problem.X_retain])
            self.retain = _RetainTerm(problem, retain_term, [setting.retain_weight for setting in settings])

    def derivative(self, logits):
        probability, n = expit(logits), self.n_forget
        forget = self.forget.derivative(logits[:n], probability[:n])
        if self.retain is None:
            return forget
        return np.concatenate([forget, self.retain.derivative(logits[n:], probability[n:])])


class _ForgetLoss:
    def __init__(self, problem, settings):
        y, y_other, n = problem.y_forget[:, None], problem.y_other[:, None], len(problem.y_forget)
        losses = np.array([TERMS[setting.method][0] for setting in settings])
        # a and b without their common weight; the derivative of log π(y|x) in the logit is y − σ
        a, b = np.where(losses == "idk", 0, 1 / n), np.where(np.isin(losses, ["idk", "dpo"]), 1 / n, 0)
        self.constant, self.slope = a * y - b * y_other, a - b
        # u or u − u′ is the change of this
        log_odds = {"npo": lambda logits: log_expit((2 * y - 1) * logits), "dpo": lambda logits: (y - y_other) * logits}
        ref_logits = (problem.X_forget @ problem.theta_init)[:, None]
        self.weighted = []
        for loss in NEEDS_BETA:
            (runs,) = np.nonzero(losses == loss)
            if runs.size:
                betas = np.array([settings[i].beta for i in runs])
                self.weighted.append((runs, betas, log_odds[loss], log_odds[loss](ref_logits)))

    def derivative(self, logits, probability):
        result = self.constant - self.slope * probability
        for runs, betas, log_odds, reference in self.weighted:
            result[:, runs] *= 2 * expit(betas * (log_odds(logits[:, runs]) - reference))
        return result


class _RetainTerm:
    def __init__(self, problem, kind, weights):
        self.kind, self.weights = kind, np.array(weights) / len(problem.X_retain)
        self.y = problem.y_retain[:, None]
        self.ref_logits = (problem.X_retain @ problem.theta_init)[:, None]
        self.ref_probability = expit(self.ref_logits)

    def derivative(self, logits, probability):
        if self.kind == "cross_entropy":
            return self.weights * (probability - self.y)
        if self.kind == "kl_ref_model":
            return self.weights * (probability - self.ref_probability)
        return self.weights * probability * (1 - probability) * (logits - self.ref_logits)
