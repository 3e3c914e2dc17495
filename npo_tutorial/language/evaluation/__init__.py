"""Is it forgotten? Metrics of unlearning, each a function, and a verdict with an interval (chapter "forgotten").

`evaluate` asks all models and makes a report; its parts can be called alone.

Conventions, in addition to those of `npo_tutorial.language`:

- Inputs. Log-probabilities of answers are **means** over their tokens, in nats, as the published metrics have them.
- Direction. Every metric says whether a larger value means that more is remembered.
- Questions. A metric of one question has one value for each, and what is reported is their mean with its interval.
- Extras. Asking a model needs ``llm``; metrics and verdicts are computed of numbers and texts, without a model.
"""

import importlib
from typing import TYPE_CHECKING, Any

from npo_tutorial.language.evaluation.metrics import (
    TRUTH_RATIO_SCORES,
    ForgetQuality,
    extraction_strength,
    forget_quality,
    leak_at_k,
    membership_auc,
    min_k,
    model_utility,
    privleak,
    rouge_l_recall,
    truth_ratio,
)
from npo_tutorial.language.evaluation.verdicts import Interval, Verdict, bootstrap_interval, combine, compare

if TYPE_CHECKING:
    from npo_tutorial.language.evaluation.callback import AskWhileTraining
    from npo_tutorial.language.evaluation.evaluating import evaluate
    from npo_tutorial.language.evaluation.measuring import Measured, ask, measure, round_weights
    from npo_tutorial.language.evaluation.report import Report

__all__ = [
    "TRUTH_RATIO_SCORES",
    "AskWhileTraining",
    "ForgetQuality",
    "Interval",
    "Measured",
    "Report",
    "Verdict",
    "ask",
    "bootstrap_interval",
    "combine",
    "compare",
    "evaluate",
    "extraction_strength",
    "forget_quality",
    "leak_at_k",
    "measure",
    "membership_auc",
    "min_k",
    "model_utility",
    "privleak",
    "rouge_l_recall",
    "round_weights",
    "truth_ratio",
]

# models are slow to import, and numbers and texts can be judged without them
LAZY = {
    **{"AskWhileTraining": "callback", "Report": "report", "evaluate": "evaluating"},
    **dict.fromkeys(("Measured", "ask", "measure", "round_weights"), "measuring"),
}


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(importlib.import_module(f"{__name__}.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
