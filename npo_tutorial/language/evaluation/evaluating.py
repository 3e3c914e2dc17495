"""`evaluate`: all models are asked the same questions, and a report says what follows."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from npo_tutorial.language.evaluation.judging import judge
from npo_tutorial.language.evaluation.measuring import Measured, ask
from npo_tutorial.language.evaluation.report import Report
from npo_tutorial.language.evaluation.verdicts import LEVEL
from npo_tutorial.language.records import split_turns

if TYPE_CHECKING:
    import transformers


def evaluate(
    model: "transformers.PreTrainedModel",
    tokenizer: "transformers.PreTrainedTokenizerBase",
    sets: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    before: "transformers.PreTrainedModel",
    retrained: "transformers.PreTrainedModel | None" = None,
    level: float = LEVEL,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Is it forgotten: too little, about as much as by a model that never saw the data, or too much?

    Every model is asked every question of every set; each metric is compared question by question, with a bootstrap
    interval (see `compare`). Without a retrained model the report says which questions stay open, and answers the
    others: what changed since the model before.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
        The model to be judged. It does not change.
    tokenizer : transformers.PreTrainedTokenizerBase
        Of all models.
    sets : dict
        Lists of records by name. "forget" is needed; "retain" is for the utility, "held_out" (records that no model was
        trained on) for membership attacks, and "translated" is the forget set in another language. Fields that
        `measure` and `in_other_words` name add further questions.
    before : transformers.PreTrainedModel or peft.PeftModel
        The model before unlearning.
    retrained : transformers.PreTrainedModel or peft.PeftModel, optional
        A model that was trained like the one before, without the forget set.
    level, seed
        As for `bootstrap_interval`.
    **options
        Further arguments of `ask` and `measure`.

    Raises
    ------
    ValueError
        A record that is incomplete, named with its file and line; models that were given other questions; a set with
        fewer than two records.
    """
    models = {"model": model, "before": before} | ({} if retrained is None else {"retrained": retrained})
    measured = {role: ask(each, tokenizer, sets, seed=seed, **options) for role, each in models.items()}
    return make_report(
        measured, sets["forget"], level=level, seed=seed, made={"options": options | {"level": level, "seed": seed}}
    )


def make_report(
    measured: dict[str, dict[str, Measured]],
    forget: Sequence[Mapping[str, Any]],
    *,
    level: float = LEVEL,
    seed: int = 0,
    made: dict[str, Any],
) -> Report:
    """The report of what `ask` found for each model."""
    questions = [([turn["content"] for turn in turns][-1], true) for turns, true in map(split_turns, forget)]
    versions = {name: version(name) for name in ("npo-tutorial", "transformers", "torch")}
    found = judge(measured, level=level, seed=seed)
    everything: Any = measured
    return Report(found, everything, questions, made | {"versions": versions, "seed": seed})
