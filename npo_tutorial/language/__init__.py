"""Unlearning of language models: log-probabilities of sequences, references, and a Hugging Face Trainer.

Serves the chapter "language-model". ``python -m npo_tutorial.language --help`` explains the command line.

Conventions, in addition to those of the package:

- Log-probabilities. That of a response is the **sum** over its tokens; a name with "per_token" is a mean.
- Tensors. Logits have the shape (batch, time, vocabulary), as a causal language model returns them. Labels are integers
  of shape (batch, time): the tokens of the response at their own positions, not shifted, and `ignore_index` (−100 by
  default) at those of the prompt and of the padding.
- Records and samples. `read_records` returns records, `encode` turns them into samples, and `precompute_reference` adds
  the reference model's log-probabilities to the samples. Both are dictionaries, described by the classes `Record` and
  `Sample`; a dataset is a list of samples.
- Options and losses. `NPOConfig` has the options of a run, `OBJECTIVES` the forget losses that it can name.
- Extras. Log-probabilities need ``torch``, everything else ``llm`` except records and metrics, which need neither.
"""

import importlib
from typing import TYPE_CHECKING, Any

from npo_tutorial.language.records import Record, Sample, Turn, read_records, write_records

if TYPE_CHECKING:
    from npo_tutorial.language.config import NPOConfig
    from npo_tutorial.language.encoding import REFUSALS, encode
    from npo_tutorial.language.evaluation import evaluate
    from npo_tutorial.language.objectives import OBJECTIVES, Objective, Responses
    from npo_tutorial.language.reference import precompute_reference
    from npo_tutorial.language.sequences import response_lengths, sequence_kl, sequence_logp
    from npo_tutorial.language.trainer import NPOTrainer

__all__ = [
    "OBJECTIVES",
    "REFUSALS",
    "NPOConfig",
    "NPOTrainer",
    "Objective",
    "Record",
    "Responses",
    "Sample",
    "Turn",
    "encode",
    "evaluate",
    "precompute_reference",
    "read_records",
    "response_lengths",
    "sequence_kl",
    "sequence_logp",
    "write_records",
]


# the Trainer takes seconds to import, and homework on log-probabilities does not need it; where there is no PyTorch, as
# in a web page, records can be read and metrics computed all the same
LAZY = {
    **{"NPOConfig": "config", "NPOTrainer": "trainer", "evaluate": "evaluation", "precompute_reference": "reference"},
    **dict.fromkeys(("REFUSALS", "encode"), "encoding"),
    **dict.fromkeys(("OBJECTIVES", "Objective", "Responses"), "objectives"),
    **dict.fromkeys(("response_lengths", "sequence_kl", "sequence_logp"), "sequences"),
}


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(importlib.import_module(f"{__name__}.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
