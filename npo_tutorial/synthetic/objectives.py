"""What the methods minimise, as derivatives in the logits: a general objective over a forget and a retain set.

Every forget loss pushes the label y of a sample down with a weight a ≥ 0, and pulls the label y′ that says nothing up
with a weight b ≥ 0: its gradient is E[a ∇log π_θ(y|x) − b ∇log π_θ(y′|x)].

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

from npo_tutorial.losses import twice_sigmoid

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
RETAIN_TERMS = ("cross_entropy", "kl_ref_model", "kl_model_ref")


class Objective:
    """The objectives of k runs over one problem: `rows` of features, and `derivative` of each run's in their logits."""

    def __init__(self, problem, settings, retain):
        losses, has_retain = zip(*(TERMS[setting.method] for setting in settings), strict=True)
        self.forget = _ForgetLoss(problem, losses, [setting.beta for setting in settings])
        weights = np.where(has_retain, [setting.retain_weight for setting in settings], 0.0)
        self.retain = _RetainTerm(problem, retain, weights) if any(has_retain) else None
        self.n_forget = len(problem.X_forget)
        self.rows = np.concatenate([problem.X_forget, problem.X_retain]) if self.retain else problem.X_forget

    def derivative(self, logits):
        if self.retain is None:
            return self.forget.derivative(logits)
        forget, retain = logits[: self.n_forget], logits[self.n_forget :]
        return np.concatenate([self.forget.derivative(forget), self.retain.derivative(retain)])


class _ForgetLoss:
    def __init__(self, problem, losses, betas):
        self.y, self.y_other = problem.y_forget[:, None], problem.y_other[:, None]
        self.ref_logits = (problem.X_forget @ problem.theta_init)[:, None]
        # the runs of each loss, together
        self.groups = [(loss, np.flatnonzero(np.array(losses) == loss)) for loss in dict.fromkeys(losses)]
        self.betas = np.array([np.nan if beta is None else beta for beta in betas])

    def derivative(self, logits):
        probability = expit(logits)
        result = np.empty_like(logits)
        for loss, runs in self.groups:
            a, b = self.weights(loss, logits[:, runs], self.betas[runs])
            # the derivative of log π(y|x) in the logit is y − σ
            result[:, runs] = a * (self.y - probability[:, runs]) - b * (self.y_other - probability[:, runs])
        return result / len(logits)

    def weights(self, loss, logits, betas):
        if loss == "ga":
            return 1.0, 0.0
        if loss == "idk":
            return 0.0, 1.0
        log_ratio = self.log_ratio(self.y, logits)
        if loss == "npo":
            return twice_sigmoid(np, betas * log_ratio), 0.0
        weight = twice_sigmoid(np, betas * (log_ratio - self.log_ratio(self.y_other, logits)))
        return weight, weight

    def log_ratio(self, labels, logits):
        sign = 2 * labels - 1
        return log_expit(sign * logits) - log_expit(sign * self.ref_logits)


class _RetainTerm:
    def __init__(self, problem, kind, weights):
        self.kind, self.weights = kind, weights / len(problem.X_retain)
        self.y = problem.y_retain[:, None]
        self.ref_logits = (problem.X_retain @ problem.theta_init)[:, None]
        self.ref_probability = expit(self.ref_logits)

    def derivative(self, logits):
        probability = expit(logits)
        if self.kind == "cross_entropy":
            return self.weights * (probability - self.y)
        if self.kind == "kl_ref_model":
            return self.weights * (probability - self.ref_probability)
        return self.weights * probability * (1 - probability) * (logits - self.ref_logits)
