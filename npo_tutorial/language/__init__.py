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
- Extras. Log-probabilities need ``torch``, everything else ``llm``.
"""

from typing import TYPE_CHECKING, Any

from npo_tutorial.language.records import REFUSALS, Record, Sample, encode, read_records, write_records
from npo_tutorial.language.reference import precompute_reference
from npo_tutorial.language.sequences import response_lengths, sequence_kl, sequence_logp

if TYPE_CHECKING:
    from npo_tutorial.language.trainer import NPOTrainer

__all__ = [
    "REFUSALS",
    "NPOTrainer",
    "Record",
    "Sample",
    "encode",
    "precompute_reference",
    "read_records",
    "response_lengths",
    "sequence_kl",
    "sequence_logp",
    "write_records",
]


def __getattr__(name: str) -> Any:
    # the Trainer takes seconds to import, and homework on log-probabilities does not need it
    if name == "NPOTrainer":
        from npo_tutorial.language.trainer import NPOTrainer

        return NPOTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
