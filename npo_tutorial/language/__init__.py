"""Unlearning of language models: log-probabilities of sequences, references, and a Hugging Face Trainer.

Needs the extra ``llm``. ``python -m npo_tutorial.language --help`` runs it from the command line. Serves the chapter
"language-model".
"""

from npo_tutorial.language.records import REFUSALS, encode, read_records, write_records
from npo_tutorial.language.reference import precompute_reference
from npo_tutorial.language.sequences import response_lengths, sequence_kl, sequence_logp

__all__ = [
    "REFUSALS",
    "NPOTrainer",  # noqa: F822 (it comes from __getattr__)
    "encode",
    "precompute_reference",
    "read_records",
    "response_lengths",
    "sequence_kl",
    "sequence_logp",
    "write_records",
]


def __getattr__(name):
    # the Trainer takes seconds to import, and homework on log-probabilities does without
    if name == "NPOTrainer":
        from npo_tutorial.language.trainer import NPOTrainer

        return NPOTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
