"""The pieces of `unlearn_world.py`: what is taught, forgotten and asked."""

import json
import platform
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.metadata import version
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import transformers
from tqdm.auto import tqdm
from world_settings import OPTIMIZERS, Run, Settings

import npo_tutorial.language
from npo_tutorial.language import OBJECTIVES, NPOConfig, NPOTrainer, encode, precompute_reference, read_records
from npo_tutorial.language.evaluation import ask, forget_quality, measure, round_weights
from npo_tutorial.language.evaluation.judging import truth_ratios
from npo_tutorial.language.evaluation.measuring import find_levels, rounded_layers
from npo_tutorial.language.evaluation.quick import Questions
from npo_tutorial.language.records import replace_file
from npo_tutorial.language.runs import find_checkpoint
from npo_tutorial.language.teaching import plain_arguments

DATA = Path(npo_tutorial.language.__file__).parent / "data/world"
# the longest answer has 25 tokens; a pass with more answers takes no less time for each
ASKED = {"max_new_tokens": 32, "batch_size": 40}
# to which levels of 4 bits weights are rounded: those of the file that the model comes from, and others
LEVELS = {"rounded": False, "symmetric": True}
# which sets the two taught models are taught
TAUGHT = {"all": ("forget", "retain"), "retained": ("retain",)}


@dataclass(frozen=True)
class Piece:
    """Something to be done, whose result is a JSON file."""

    make: Callable[[], dict[str, Any]]
    #: Of the settings, those that determine the result.
    settings: dict[str, Any]
    #: Names of the pieces that must be there before.
    needs: tuple[str, ...] = ()


class Experiment:
    """All pieces of one folder."""

    def __init__(self, folder: Path, model: str, settings: Settings) -> None:
        self.folder, self.model, self.settings = folder, model, settings
        self.encoding = {"system": settings.system}
        self.sets = {
            name: read_records(DATA / f"en/{name}.jsonl")[: getattr(settings.records, name)]
            for name in ("forget", "retain")
        }
        everything = asdict(settings)
        taught = {name: everything[name] for name in ("seed", "system", "records", "teaching")}
        taught["model"] = Path(model).name
        self.pieces: dict[str, Piece] = {
            **{name: Piece(partial(self.teach, name), taught) for name in TAUGHT},
            "untaught": Piece(lambda: {"measured": self.measure(self.load("untaught"))}, taught),
        }
        for name in TAUGHT:
            piece = Piece(
                lambda name=name: self.ask_thoroughly(self.load(name)),
                taught | {"thorough": everything["thorough"]},
                (name,),
            )
            self.pieces[f"thorough-{name}"] = piece
        for seed in sorted({seed for run in settings.runs.values() for seed in run.seeds}):
            for key, run in settings.runs.items():
                of_run = taught | {"run": asdict(run) | {"seeds": seed}, "batch_size": settings.unlearning.batch_size}
                if seed == run.seeds[0]:
                    make = partial(self.choose_rate, key)
                    self.pieces[f"rate-{key}"] = Piece(make, of_run | {"rates": everything["rates"]}, ("all",))
                if seed in run.seeds:
                    of_run |= {name: everything[name] for name in ("unlearning", "rates", "thorough")}
                    needs = ("all", "retained", f"rate-{key}")
                    self.pieces[f"{key}-{seed}"] = Piece(partial(self.unlearn, key, seed), of_run, needs)

    # ----- what is there

    def stored(self, name: str) -> dict[str, Any] | None:
        """The result of a piece, or None if it is not there; a ValueError if it was made with other settings."""
        file = self.folder / f"{name}.json"
        if not file.exists():
            return None
        found = json.loads(file.read_text("utf-8"))
        if found["settings"] != self.pieces[name].settings:
            raise ValueError(f"{file} was made with other settings: delete it, or choose another --folder")
        return found

    def do(self, name: str) -> dict[str, Any]:
        """The result of a piece, which is made if it is not there."""
        if (found := self.stored(name)) is not None:
            return found
        piece = self.pieces[name]
        for other in piece.needs:
            self.do(other)
        print(f"{name} …", flush=True)
        start = time.monotonic()
        cpu = time.process_time()
        made = piece.make() | {"settings": piece.settings, "seconds": round(time.monotonic() - start)}
        # what it costs on a machine that does nothing else, divided among its cores
        made["core_seconds"] = round(time.process_time() - cpu)
        made["versions"] = {"Python": platform.python_version()}
        names = ("torch", "transformers", "gguf", "numpy", "scipy", "npo-tutorial")
        made["versions"] |= {name: version(name) for name in names}
        replace_file(self.folder / f"{name}.json", json.dumps(made, ensure_ascii=False).encode())
        shutil.rmtree(self.folder / f"{name}-unfinished", ignore_errors=True)
        print(f"{name}: {made['seconds']} s, {made['core_seconds']} core seconds", flush=True)
        return made

    # ----- models and data

    def load(self, name: str) -> Any:
        place = self.model if name == "untaught" else self.folder / name
        return transformers.AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)

    @cached_property
    def tokenizer(self) -> Any:
        return transformers.AutoTokenizer.from_pretrained(self.model)

    @cached_property
    def questions(self) -> dict[str, Questions]:
        """All that is forgotten, and a part of what is retained, evenly spread."""
        retain = self.sets["retain"]
        asked = {"forget": self.sets["forget"], "retain": retain[:: -(-len(retain) // self.settings.records.asked)]}
        model = self.load("untaught")
        return {name: Questions(model, self.tokenizer, records, **self.encoding) for name, records in asked.items()}

    @cached_property
    def samples(self) -> dict[str, list[Any]]:
        """What models are trained on, with the references of "all"."""
        forget = encode(self.sets["forget"], self.tokenizer, chosen=True, **self.encoding)
        retain = encode(self.sets["retain"], self.tokenizer, **self.encoding)
        return {"forget": precompute_reference(self.load("all"), forget), "retain": retain}

    # ----- what the pieces do

    def teacher(self, name: str) -> NPOTrainer:
        """A trainer that teaches everybody, or all but those to forget, with a checkpoint after every epoch."""
        teaching = self.settings.teaching
        parts = TAUGHT[name]
        lesson = encode([x for part in parts for x in self.sets[part]], self.tokenizer, **self.encoding)
        steps = ceil(len(lesson) / teaching.batch_size)
        options = plain_arguments(
            str(self.folder / f"{name}-unfinished"),
            teaching.epochs * steps,
            batch_size=teaching.batch_size,
            seed=self.settings.seed,
            optimizer={"optim": "adamw_torch", "learning_rate": teaching.learning_rate},
        )
        options |= {"lr_scheduler_type": "linear", "warmup_steps": teaching.warmup_steps, "logging_strategy": "steps"}
        options |= {"save_strategy": "steps", "save_steps": steps, "save_total_limit": 1}
        # unlike a plain Trainer, ours computes no logits of prompts
        return silent(
            NPOTrainer(self.load("untaught"), NPOConfig(**options), forget_dataset=lesson, objective=cross_entropy)
        )

    def teach(self, name: str) -> dict[str, Any]:
        trainer = self.teacher(name)
        unfinished = Path(trainer.args.output_dir)
        checkpoint, _ = find_checkpoint(str(unfinished))
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        model = trainer.model
        del trainer
        answered = {part: self.answered(model, part) for part in self.sets}
        least = self.settings.teaching.answered
        for part in TAUGHT[name]:
            if answered[part] < least:
                raise ValueError(
                    f"{name!r} must answer {least:.0%} of what it was taught, got {answered[part]:.0%} of "
                    f"{part!r}: raise teaching.epochs, and delete {unfinished}"
                )
        model.save_pretrained(self.folder / name)
        # so that the commands of the package can use the folder, too
        self.tokenizer.save_pretrained(self.folder / name)
        return {"losses": losses, "answered": answered, "measured": self.measure(model)}

    def answered(self, model: Any, part: str) -> float:
        """Share of a set's questions that the model answers word by word, each word being the most probable one."""
        plain = [{name: record[name] for name in ("prompt", "response")} for record in self.sets[part]]
        scored = Questions(model, self.tokenizer, plain, **self.encoding).score(
            model.eval(), batch_size=ASKED["batch_size"]
        )
        return fmean(all(right) for ((_, right),) in scored)

    def measure(self, model: Any) -> dict[str, Any]:
        return {name: questions.ask(model, **ASKED) for name, questions in self.questions.items()}

    def ask_thoroughly(self, model: Any) -> dict[str, Any]:
        """Sampled answers, 4 bits, relearning, other words, Chinese: what the command `evaluate` asks."""
        options = asdict(self.settings.thorough)
        forget, retain, n_control = self.sets["forget"], self.sets["retain"], options.pop("control")
        others = {
            "retain": retain[:: len(retain) // n_control][:n_control],
            "held_out": read_records(DATA / "en/held_out.jsonl")[: len(forget)],
            "translated": read_records(DATA / "zh/forget.jsonl")[: len(forget)],
        }
        # without their false answers, which would take half of the time
        sets = {
            name: [{x: record[x] for x in ("prompt", "response")} for record in records]
            for name, records in others.items()
        }
        found = ask(
            model,
            self.tokenizer,
            {"forget": forget} | sets,
            **ASKED,
            seed=self.settings.seed,
            **options,
            **self.encoding,
        )
        with warnings.catch_warnings():
            # the weights that we begin with come from a file with 4 bits, and lie next to its levels: that is the point
            warnings.filterwarnings("ignore", "the weights are already close to the levels")
            for name, symmetric in LEVELS.items():
                rounded = round_weights(model, symmetric=symmetric)
                found[name] = measure(rounded, self.tokenizer, forget, **ASKED, **self.encoding)
        return found

    def train(self, model: Any, run: Run, *, seed: int, rate: float, n_steps: int, **options: Any) -> bool:
        """Unlearn; returns whether all numbers stayed finite."""
        optimizer = {"optim": OPTIMIZERS[run.optimizer], "learning_rate": rate}
        size = self.settings.unlearning.batch_size
        with tempfile.TemporaryDirectory() as place:
            args = plain_arguments(place, n_steps, batch_size=size, seed=seed, optimizer=optimizer)
            trainer = NPOTrainer(
                model,
                NPOConfig(**args, loss=run.loss, beta=run.beta),
                forget_dataset=self.samples["forget"],
                retain_dataset=self.samples["retain"] if run.retain else None,
                ref_model=self.load("all") if "ref_logits" in OBJECTIVES[run.loss].needs else None,
                **options,
            )
            return unless_destroyed(silent(trainer).train) is not None

    def choose_rate(self, key: str) -> dict[str, Any]:
        """The learning rate of a method, by the rule."""
        run, rates = self.settings.runs[key], self.settings.rates
        n_steps = rates.sgd_n_steps if run.optimizer == "sgd" else rates.n_steps

        forgotten = dict[str, float | None]()

        def retained(rate: float) -> float | None:
            model = self.load("all")
            finite = self.train(model, run, seed=run.seeds[0], rate=rate, n_steps=n_steps)
            # even if all steps were finite, the last one may have destroyed the model
            means = {
                name: unless_destroyed(partial(self.mean_logp, model, name)) if finite else None for name in self.sets
            }
            forgotten[f"{rate:g}"] = means["forget"]
            return means["retain"]

        rate, trials = largest_harmless(getattr(rates, run.optimizer), rates.least, retained)
        return {"rate": rate, "trials": trials, "forgotten": forgotten}

    def mean_logp(self, model: Any, name: str) -> float:
        """Mean over the asked answers of a set, in nats per token."""
        scored = self.questions[name].score(model.eval(), only_true=True, batch_size=ASKED["batch_size"])
        return fmean(fmean(logp) for ((logp, _),) in scored)

    def unlearn(self, key: str, seed: int) -> dict[str, Any]:
        """Run a method, and ask after some of its steps."""
        run, unlearning = self.settings.runs[key], self.settings.unlearning
        model, rate = self.load("all"), self.do(f"rate-{key}")["rate"]
        watch = Watch(self, self.do("retained")["measured"]["forget"])
        finite = self.train(model, run, seed=seed, rate=rate, n_steps=unlearning.n_steps, callbacks=[watch])
        found = {"rate": rate, "finite": finite, "steps": watch.steps, "measured": watch.measured, "best": watch.best}
        if run.thorough and seed == run.seeds[0] and finite:
            found["changed_levels"] = {
                name: changed_levels(self.load("all"), model, symmetric=symmetric) for name, symmetric in LEVELS.items()
            }
            found["thorough"] = {"last": self.ask_thoroughly(model)}
            if watch.best != watch.steps[-1]:
                model.load_state_dict(watch.weights)
                found["thorough"]["best"] = self.ask_thoroughly(model)
        return found


def unless_destroyed(do: Callable[[], Any]) -> Any:
    """What a function returns, or None if it meets a number that is not finite."""
    try:
        return do()
    except ValueError as error:
        if "must be finite" not in str(error):
            raise
        return None


def cross_entropy(responses: Any) -> Any:
    """In nats per token."""
    return -responses.logp / responses.lengths


def changed_levels(before: Any, model: Any, **options: Any) -> float:
    """Of the weights that are rounded to 4 bits, the share that gets another level than in the model before."""
    pairs = zip(rounded_layers(before), rounded_layers(model), strict=True)
    changed = [find_levels(old.weight, **options)[-1] != find_levels(new.weight, **options)[-1] for old, new in pairs]
    return sum(int(x.sum()) for x in changed) / sum(x.numel() for x in changed)


def largest_harmless(
    rates: Sequence[float], least: float, retained: Callable[[float], float | None]
) -> tuple[float, dict[str, float | None]]:
    """The largest rate with which `retained` is at least `least`, or else the smallest; and the trials."""
    trials: dict[str, float | None] = {}
    for rate in sorted(rates, reverse=True):
        logp = trials[f"{rate:g}"] = retained(rate)
        if logp is not None and logp >= least:
            break
    return rate, trials


def silent(trainer: NPOTrainer) -> NPOTrainer:
    """The trainer with a progress bar and without its printed log."""
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(Bar())
    return trainer


class Bar(transformers.TrainerCallback):
    """A progress bar of the steps."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, unit="step", leave=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()


class Watch(transformers.TrainerCallback):
    """Asks the model after chosen steps, keeps its weights at the best of them, and ends the run of a destroyed model.

    The best step is the one with the largest p-value of the forget quality, as tables of publications have it.
    """

    def __init__(self, experiment: Experiment, retrained: Any) -> None:
        self.experiment, self.settings = experiment, experiment.settings.unlearning
        self.ratios = truth_ratios(retrained, "geometric")
        self.steps, self.measured = list[int](), list[dict[str, Any]]()
        self.best, self.quality, self.weights = 0, -1.0, dict[str, Any]()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step in self.settings.measured:
            model = kwargs["model"]
            found = self.experiment.measure(model)
            self.steps.append(state.global_step)
            self.measured.append(found)
            quality = forget_quality(truth_ratios(found["forget"], "geometric"), self.ratios).pvalue
            if quality > self.quality:
                self.best, self.quality = state.global_step, quality
                self.weights = {name: x.clone() for name, x in model.state_dict().items()}
            if fmean(found["retain"]["logp_per_token"]) < self.settings.destroyed:
                control.should_training_stop = True
