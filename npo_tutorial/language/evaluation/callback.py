"""The evaluation while a model is being trained: some questions, every few steps, in the Trainer's log."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_count
from npo_tutorial._extras import require
from npo_tutorial.language.evaluation.evaluating import make_report
from npo_tutorial.language.evaluation.measuring import (
    ENCODING,
    Measured,
    ask,
    check_options,
    check_sets,
    in_other_words,
    part_of,
    prepare,
    questions_of,
)
from npo_tutorial.language.evaluation.report import SCALE, Report

if TYPE_CHECKING:
    import transformers
else:
    transformers = require("transformers")

NUMBERS = ("samples", "max_new_tokens", "batch_size", "seed")


class AskWhileTraining(transformers.TrainerCallback):
    """Asks the model that a Trainer trains, before the first step and then every few steps, and logs what it finds.

    The log gets, for each set and each metric, "asked\\_SET\\_METRIC" and the ends of its interval,
    "asked\\_SET\\_METRIC\\_low" and "…\\_high"; with a retain set "asked\\_utility" likewise. With a retrained model it
    also gets "asked\\_forget\\_quality\\_MEAN\\_pvalue" and "…\\_signed" with its ends, where MEAN is "geometric" or
    "arithmetic", and the verdict on the forget set. Loggers draw numbers, so the verdict is 1 or 0 for each of
    "asked\\_too\\_much", "asked\\_as\\_retrained" and "asked\\_too\\_little": all three are 0 if it is undecided.
    Training goes on as it would without these questions.

    Parameters
    ----------
    trainer : transformers.Trainer
        For example an `NPOTrainer`; of one process. Add the callback to it: ``trainer.add_callback(callback)``.
    tokenizer : transformers.PreTrainedTokenizerBase
    sets : dict
        As for `evaluate`.
    every : int
        Steps between questions.
    questions : int
        At most this many of each set are asked, evenly spread.
    retrained, before : dict, optional
        What `ask` found for the retrained model, and for the model before the first step, and the same questions, which
        `callback.sets` has. A run that is resumed needs `before`: the model before is no longer there.
    **options
        Further arguments of `ask` and `measure`, except those of relearning.

    Raises
    ------
    ValueError
        Before training: sets, records and options that `evaluate` would not take either; answers of `retrained` or
        `before` to other questions.

    Attributes
    ----------
    sets : dict
        The questions that are asked.
    reports : list of (int, Report)
        After each of these steps, the comparison with the model before, and with the retrained one.
    """

    def __init__(
        self,
        trainer: "transformers.Trainer",
        tokenizer: "transformers.PreTrainedTokenizerBase",
        sets: Mapping[str, Sequence[Mapping[str, Any]]],
        *,
        every: int,
        questions: int = 40,
        retrained: dict[str, Measured] | None = None,
        before: dict[str, Measured] | None = None,
        **options: Any,
    ) -> None:
        self.trainer, self.tokenizer, self.options = trainer, tokenizer, options
        self.every, questions = check_count("every", every), check_count("questions", questions, minimum=2)
        check_sets(sets)
        self.sets = {name: part_of(records, -(-len(records) // questions)) for name, records in sets.items()}
        if trainer.args.world_size > 1:
            raise ValueError(f"trainer must have one process, got {trainer.args.world_size}: evaluate its checkpoints")
        if options.get("relearning_steps"):
            raise ValueError("relearning_steps must be left out while a model is trained: evaluate its checkpoints")
        asked = self._check(**options)
        for name, given in {"retrained": retrained, "before": before}.items():
            if given is not None:
                _check_answers(name, given, asked)
        self.measured = {} if retrained is None else {"retrained": retrained}
        self.before = before
        self.reports = list[tuple[int, Report]]()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.before is None and state.global_step > 0:
            raise ValueError(
                f"before must be given for a run that is resumed, here after step {state.global_step}: what ask found "
                "for the model before the first step"
            )
        self.measured["before"] = self._ask(kwargs["model"]) if self.before is None else self.before

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.every == 0:
            measured = self.measured | {"model": self._ask(kwargs["model"])}
            report = make_report(measured, self.sets["forget"], made={"step": state.global_step})
            self.reports.append((state.global_step, report))
            self.trainer.log(_logs(report.found))

    def _ask(self, model: Any) -> dict[str, Measured]:
        return ask(model, self.tokenizer, self.sets, **self.options)

    def _check(self, relearning_steps: int = 0, four_bits: bool = False, **options: Any) -> dict[str, list[str]]:
        """Raise an error for what `ask` would not take, and return the questions that it will ask, by set."""
        for name in options:
            if name not in (*NUMBERS, *ENCODING):
                raise ValueError(f"options must be among four_bits, {', '.join((*NUMBERS, *ENCODING))}, got {name}")
        check_options(**{name: value for name, value in options.items() if name in NUMBERS})
        encoding = {name: value for name, value in options.items() if name in ENCODING}
        sets: dict[str, Any] = dict(self.sets)
        if (otherwise := in_other_words(self.sets["forget"])) is not None:
            sets["otherwise"] = otherwise
        model: Any = self.trainer.model
        text = model.config.get_text_config(decoder=True)
        limits = text.vocab_size, getattr(text, "max_position_embeddings", None)
        for records in sets.values():
            prepare(self.tokenizer, records, *limits, **encoding)
        found = {name: questions_of(records) for name, records in sets.items()}
        return found | ({"rounded": found["forget"]} if four_bits else {})


def _check_answers(name: str, given: Any, asked: Mapping[str, list[str]]) -> None:
    """Raise a ValueError if these are not answers to the questions that will be asked."""
    if not isinstance(given, Mapping) or not given.keys() >= asked.keys():
        got = ", ".join(given) if isinstance(given, Mapping) else type(given).__name__
        raise ValueError(f"{name} must be what ask found for the sets {', '.join(asked)}, got {got}")
    for of_set, questions in asked.items():
        found = given[of_set]
        if len(found["answer"]) != len(questions):
            raise ValueError(
                f"{name} must have an answer to each question of {of_set} in callback.sets, {len(questions)}, got "
                f"{len(found['answer'])}"
            )
        # answers that were kept by an older version do not say to what
        for question, other in zip(questions, found.get("question", questions), strict=True):
            if question != other:
                raise ValueError(
                    f"{name} must have answers to the questions of {of_set} in callback.sets, such as {question!r}, "
                    f"got one to {other!r}"
                )


def _logs(found: Mapping[str, Any]) -> dict[str, float]:
    """What a logger of numbers can draw of a report."""
    intervals = {
        f"{name}_{row['metric']}": row["values"]["model"]
        for name, of_set in found["sets"].items()
        for row in of_set["rows"]
    }
    if "utility" in found:
        intervals["utility"] = found["utility"]["values"]["model"]
    logs = dict[str, float]()
    for mean, test in found.get("forget_quality", {}).items():
        logs[f"asked_forget_quality_{mean}_pvalue"] = test["pvalue"]
        intervals[f"forget_quality_{mean}_signed"] = [test["signed"], *test["interval"]]
    for name, values in intervals.items():
        logs |= {f"asked_{name}{end}": x for end, x in zip(("", "_low", "_high"), values, strict=True)}
    if found["overall"] is not None:
        shown = ("too_much", "too_little") if found["overall"] == "both" else (found["overall"],)
        logs |= {f"asked_{outcome}": float(outcome in shown) for outcome in SCALE}
    return logs
