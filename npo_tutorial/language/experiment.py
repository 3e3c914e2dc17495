"""The experiment of the chapter "language-model": a small model forgets eight facts, by eight methods.

python -m npo_tutorial.language.experiment --help
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial import results
from npo_tutorial._checks import check_choice, check_count
from npo_tutorial._console import replace_unprintable
from npo_tutorial._extras import require
from npo_tutorial.language import smollm
from npo_tutorial.language.batches import pad
from npo_tutorial.language.encoding import encode
from npo_tutorial.language.records import Record, read_records
from npo_tutorial.language.reference import precompute_reference
from npo_tutorial.language.sequences import response_lengths, sequence_logp
from npo_tutorial.language.teaching import make_teacher, plain_arguments

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

MODEL = "smollm2-135m-instruct"
SEED = 0
ADAMW = {"optim": "adamw_torch", "learning_rate": 1e-5}
# the optimizer of the theorem; its first step is about as long as AdamW's
SGD = {"optim": "sgd", "learning_rate": 1e-4}
N_STEPS, SHORT_STEPS = 50, 20
EVALUATED = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50)
ANSWERED = (0, 5, 10, 15, 20, 30, 50)
ANSWER_TOKENS = 20
RELEARNING_STEPS = 10
# how many facts are taught again; the rest of the forget set shows what comes back by itself
RELEARNED = 4
METHODS: dict[str, dict[str, Any]] = {
    "GA": {"loss": "ga"},
    "NPO β=0.1": {"loss": "npo", "beta": 0.1},
    "NPO β=0.3": {"loss": "npo", "beta": 0.3},
    "NPO β=1": {"loss": "npo", "beta": 1.0},
    "GA+RT": {"loss": "ga", "retain": True},
    "NPO+RT": {"loss": "npo", "beta": 0.1, "retain": True},
    "DPO": {"loss": "dpo", "beta": 0.1},
    "SimNPO": {"loss": "simnpo", "beta": 2.5},
}
SHORT_METHODS = ("GA", "NPO β=0.1")
# sets whose first facts are taught again: the forget set, and once, as a control, the retain set
RELEARNING = {"GA": ["forget"], "NPO β=0.1": ["forget"], "NPO+RT": ["forget", "retain"]}
# set and index of the questions whose answers are recorded
QUESTIONS = (("forget", 0), ("forget", 1), ("forget", 2), ("retain", 0), ("held_out", 0), ("held_out", 4))


def load_records() -> tuple[dict[str, list[Record]], list[str]]:
    """The records of the three sets, and the paragraphs of general text."""
    data = Path(__file__).parent / "data"
    sets = {name: read_records(data / f"{name}.jsonl") for name in ("forget", "retain", "held_out")}
    return sets, (data / "general.txt").read_text("utf-8").split("\n")[:-1]


class Experiment:
    """A model's folder and the encoded data; each method starts from the model in the folder."""

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = folder
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.records, paragraphs = load_records()
        model = self.load_model()
        self.sets = {
            name: precompute_reference(model, encode(records, self.tokenizer, chosen=name == "forget"))
            for name, records in self.records.items()
        }
        self.lengths = {
            name: [sum(label >= 0 for label in item["labels"]) for item in items] for name, items in self.sets.items()
        }
        tokens = [self.tokenizer(paragraph)["input_ids"] for paragraph in paragraphs]
        self.general = [(ids, ids) for ids in tokens]

    def load_model(self) -> transformers.PreTrainedModel:
        return transformers.AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)

    def run(
        self,
        method: str,
        *,
        n_steps: int = N_STEPS,
        answered: Sequence[int] = ANSWERED,
        save_to: str | None = None,
        optimizer: dict[str, Any] = ADAMW,
    ) -> dict[str, Any]:
        """Unlearn with a method of `METHODS`; returns the measurements, and saves the model to `save_to` if given."""
        # imported where used: importing the Trainer takes seconds
        from npo_tutorial.language.config import NPOConfig
        from npo_tutorial.language.trainer import NPOTrainer

        options = dict(METHODS[check_choice("method", method, tuple(METHODS))])
        retain = self.sets["retain"] if options.pop("retain", False) else None
        return self._train(
            lambda model, args, **callbacks: NPOTrainer(
                model,
                NPOConfig(**args, **options),
                forget_dataset=self.sets["forget"],
                retain_dataset=retain,
                **callbacks,
            ),
            self.load_model(),
            check_count("n_steps", n_steps),
            batch_size=len(self.sets["forget"]),
            answered=answered,
            save_to=save_to,
            optimizer=optimizer,
        )

    def relearn(self, folder: str, *, taught: str = "forget", n_steps: int = RELEARNING_STEPS) -> dict[str, Any]:
        """Fine-tune an unlearned model on the first facts of a set; returns the measurements."""
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return self._train(
            lambda model, args, **callbacks: make_teacher(model, args, self.sets[taught][:RELEARNED], **callbacks),
            model,
            n_steps,
            batch_size=RELEARNED,
            answered=(n_steps,),
            evaluated=range(n_steps + 1),
        )

    def _train(
        self,
        make_trainer,
        model,
        n_steps,
        *,
        batch_size,
        answered,
        evaluated=EVALUATED,
        save_to=None,
        optimizer=ADAMW,
    ):
        recorder = _Recorder(self, model, answered, evaluated)
        with tempfile.TemporaryDirectory() as place:
            args = plain_arguments(place, n_steps, batch_size=batch_size, seed=SEED, optimizer=optimizer)
            start = time.monotonic()
            trainer = make_trainer(model, args, callbacks=[recorder])
            trainer.remove_callback(transformers.PrinterCallback)
            trainer.train()
        if save_to is not None:
            model.save_pretrained(save_to)
        return recorder.found | {"seconds": round(time.monotonic() - start)}

    @torch.inference_mode()
    def evaluate(self, model: transformers.PreTrainedModel) -> dict[str, Any]:
        """The log-probability of every response in the three sets, and the perplexity of the general text."""
        found: dict[str, Any] = {}
        for name, items in self.sets.items():
            logp, _ = self._score(model, [(item["input_ids"], item["labels"]) for item in items])
            found[name] = [round(value, 3) for value in logp.tolist()]
        logp, lengths = self._score(model, self.general)
        found["perplexity"] = float(f"{(-logp.double().sum() / lengths.sum()).exp().item():.5g}")
        return found

    def _score(self, model, rows):
        batch = {name: x.to(model.device) for name, x in pad(rows).items()}
        labels = batch.pop("labels")
        return sequence_logp(model(**batch).logits, labels), response_lengths(labels)

    @torch.inference_mode()
    def answers(self, model: Any) -> list[Any]:
        """The model's own answers to `QUESTIONS`, token by token, each token with its probability in per cent."""
        prompts = [self.records[name][i]["prompt"] for name, i in QUESTIONS]
        turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
        encoding: Any = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        )
        inputs = encoding.to(model.device)
        generated = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=ANSWER_TOKENS,
            return_dict_in_generate=True,
            output_logits=True,
            pad_token_id=self.tokenizer.eos_token_id,
        )
        tokens = generated.sequences[:, inputs["input_ids"].shape[1] :]
        probabilities = torch.stack(generated.logits, dim=1).softmax(dim=-1).gather(-1, tokens[..., None]).squeeze(-1)
        answers = []
        for row, p in zip(tokens.tolist(), probabilities.tolist(), strict=True):
            length = row.index(self.tokenizer.eos_token_id) if self.tokenizer.eos_token_id in row else len(row)
            pieces = [self.tokenizer.decode([token]) for token in row[:length]]
            answers.append([pieces, [round(100 * value) for value in p[:length]]])
        return answers


class _Recorder(transformers.TrainerCallback):
    """Measures the model before the first step and after selected steps."""

    def __init__(self, experiment, model, answered, evaluated):
        self.experiment, self.model, self.answered, self.evaluated = experiment, model, answered, evaluated
        self.found: dict[str, Any] = {
            "steps": [],
            "forget": [],
            "retain": [],
            "held_out": [],
            "perplexity": [],
            "answers": {},
        }

    def on_train_begin(self, args, state, control, **kwargs):
        self.measure(0)

    def on_step_end(self, args, state, control, **kwargs):
        self.measure(state.global_step)

    def measure(self, step):
        self.model.eval()
        if step in self.evaluated:
            self.found["steps"].append(step)
            for name, value in self.experiment.evaluate(self.model).items():
                self.found[name].append(value)
        if step in self.answered:
            self.found["answers"][str(step)] = self.experiment.answers(self.model)


def main() -> None:
    replace_unprintable()
    parser = argparse.ArgumentParser(
        prog="python -m npo_tutorial.language.experiment",
        description="Run the experiment of the chapter on language models and print its results. The whole experiment "
        "takes about an hour on two cores, --short a few minutes.",
    )
    parser.add_argument(
        "--model",
        default=MODEL,
        help="a model: its folder, or its name on a hub; the default is downloaded if it is not there "
        "(default: %(default)s)",
    )
    parser.add_argument("--short", action="store_true", help=f"only {' and '.join(SHORT_METHODS)}, {SHORT_STEPS} steps")
    parser.add_argument("--write", action="store_true", help="store the results in npo_tutorial/results, for the book")
    options = parser.parse_args()
    if options.write and options.short:
        parser.error("--write must not be given with --short: the book needs all methods")
    transformers.utils.logging.disable_progress_bar()
    # NPO's weights fade until their squares in AdamW are subnormal numbers, with which processors are slow
    torch.set_flush_denormal(True)
    experiment = Experiment(smollm.fetch(MODEL) if options.model == MODEL else options.model)
    found: dict[str, Any] = {
        "command": "python -m npo_tutorial.language.experiment --write",
        "versions": {"Python": platform.python_version()}
        | {name: version(name) for name in ("torch", "transformers", "gguf", "npo-tutorial")},
        "cpus": os.cpu_count(),
        "seed": SEED,
        "learning_rate": ADAMW["learning_rate"],
        "sgd_learning_rate": SGD["learning_rate"],
        "lengths": experiment.lengths,
        "questions": [{"set": name, "prompt": experiment.records[name][i]["prompt"]} for name, i in QUESTIONS],
        "relearned": RELEARNED,
        "runs": {},
        "relearning": {},
        "sgd": {},
    }
    with tempfile.TemporaryDirectory() as place:
        for method in SHORT_METHODS if options.short else METHODS:
            save_to = os.path.join(place, "unlearned") if method in RELEARNING and not options.short else None
            run = experiment.run(method, n_steps=SHORT_STEPS if options.short else N_STEPS, save_to=save_to)
            found["runs"][method] = run
            report(method, run, experiment.lengths)
            if save_to is not None:
                found["relearning"][method] = {
                    name: experiment.relearn(save_to, taught=name) for name in RELEARNING[method]
                }
                for name, again in found["relearning"][method].items():
                    report(f"{method}, taught {RELEARNED} facts of the {name} set", again, experiment.lengths)
            if options.write:
                # the results so far are kept if a later run fails
                results.save("language_model", found)
        if not options.short:
            found["sgd"] = experiment.run("NPO β=0.1", answered=(), optimizer=SGD)
            report("NPO β=0.1, SGD", found["sgd"], experiment.lengths)
    if options.write:
        results.save("language_model", found)


def report(title: str, run: dict[str, Any], lengths: dict[str, list[int]]) -> None:
    """Print a run as a table: nats per token for the three sets, and the perplexity."""
    print(f"{title} ({run['seconds']} s)\n step  forget  retain  held out  perplexity", flush=True)
    for k, step in enumerate(run["steps"]):
        sets = (sum(run[name][k]) / sum(lengths[name]) for name in ("forget", "retain", "held_out"))
        print("{:5d} {:7.2f} {:7.2f} {:9.2f} {:11.5g}".format(step, *sets, run["perplexity"][k]), flush=True)
    for step, answers in run["answers"].items():
        print(f"{step:>5}  " + " | ".join("".join(pieces).replace("\n", "↵") for pieces, _ in answers[:2]), flush=True)


if __name__ == "__main__":
    main()
