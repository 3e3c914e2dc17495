"""The evaluation while a model is being trained: some questions, every few steps, in the Trainer's log."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_count
from npo_tutorial._extras import require
from npo_tutorial.language.evaluation.evaluating import make_report
from npo_tutorial.language.evaluation.measuring import Measured, ask
from npo_tutorial.language.evaluation.report import Report

if TYPE_CHECKING:
    import transformers
else:
    transformers = require("transformers")


class AskWhileTraining(transformers.TrainerCallback):
    """Asks the model that a Trainer trains, before the first step and then every few steps, and logs what it finds.

    The log gets, for each set and each metric, "asked\\_SET\\_METRIC" and the ends of its interval,
    "asked\\_SET\\_METRIC\\_low" and "…\\_high". Training goes on as it would without these questions.

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
        self.sets = {name: records[:: -(-len(records) // questions)] for name, records in sets.items()}
        if trainer.args.world_size > 1:
            raise ValueError(f"trainer must have one process, got {trainer.args.world_size}: evaluate its checkpoints")
        if options.get("relearning_steps"):
            raise ValueError("relearning_steps must be left out while a model is trained: evaluate its checkpoints")
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
            logs = {}
            for name, of_set in report.found["sets"].items():
                for row in of_set["rows"]:
                    for end, value in zip(("", "_low", "_high"), row["values"]["model"], strict=True):
                        logs[f"asked_{name}_{row['metric']}{end}"] = value
            self.trainer.log(logs)

    def _ask(self, model: Any) -> dict[str, Measured]:
        return ask(model, self.tokenizer, self.sets, **self.options)
