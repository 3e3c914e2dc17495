"""python -m npo_tutorial.language evaluate: is it forgotten?"""

import argparse
import difflib
import gc
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_positive
from npo_tutorial._locale import LANGUAGES, preferred_language
from npo_tutorial.language import arguments
from npo_tutorial.language.evaluation.verdicts import LEVEL

if TYPE_CHECKING:
    from npo_tutorial.language.models import Source
    from npo_tutorial.language.records import Record

PROGRAM = f"{arguments.PROGRAM} evaluate"
HELP = f"""\
usage: {PROGRAM} --model MODEL --before MODEL --forget FILE [options]

Has a model forgotten too little, about as much as a model that never saw the data, or too much?

  {PROGRAM} --model unlearned --before taught --retrained retrained \\
      --forget forget.jsonl --retain retain.jsonl --held-out held_out.jsonl --html report.html

models (names on a hub, or folders of models or of adapters; loaded one after the other):
  --model MODEL           the model to be judged
  --before MODEL          the model before unlearning
  --retrained MODEL       a model trained like that one, without the forget set; without it the
                          report says which questions stay open, and answers the others
  --dtype NAME            float32, bfloat16 or auto, that of the files (default: float32)

files of records, as for unlearning; one record per line:
  {{"prompt": "Who wrote Hamlet?", "response": "William Shakespeare."}}
  --forget FILE           what should be forgotten
  --retain FILE           what should still be known
  --held-out FILE         what no model was trained on, of the same kind as the forget set
  --translated FILE       the questions of the forget set in another language
  --prompt-field NAME     what the files call the prompt; --response-field likewise
  --system TEXT           system turn before each prompt, for models with a chat template
  --chat-template-kwargs JSON  what else the template gets
  --max-length N          maximum tokens of prompt and answer; longer answers are cut

  Three further fields are used, which all records of a file have or none: "paraphrased_prompt"
  and "paraphrased_response", the question and its answer in other words, and "false_responses",
  a list of wrong answers of the same form as the answer in other words.

further questions:
  --samples N             sample N answers to each question: does one of them give it away?
                          Takes about N times as long as one answer to each
  --four-bits             ask again after the weights are rounded to 4 bits, which needs memory
                          for a second copy of the model
  --relearning-steps N    teach half of the forget set again: does the other half come back?
                          Needs --retain, of which as many records are taught as a control,
                          and memory for training: about five times the model's
  --learning-rate X       of these steps (default: 1e-05)

report (it is always printed):
  --html FILE             write it as one page, which needs no network
  --json FILE             write it with the values of each question, for other programs
  --answers FOLDER        keep what each model answers there, and do not ask it again as long as
                          its files, the records and the options of asking stay the same: a
                          stopped run goes on after its last whole model, and when another model
                          is compared with the same --before and --retrained, only it is asked
  --language NAME         en or zh (default: that of the system)
  --level X               of the intervals (default: {LEVEL})
  --max-new-tokens N      length of the models' own answers (default: 64)
  --batch-size N          answers in one forward pass (default: 8)
  --seed N                determines the intervals and the sampled answers (default: 0)

An interval says how much a mean depends on the questions asked. Ask 40 or more, or most
outcomes are "undecided". The exit status is 0 whatever the outcome, and 2 after an error.
"""
LESS_MEMORY = (
    "--batch-size 1, --dtype bfloat16, or without --relearning-steps, which need most, and --four-bits, which doubles "
    "the weights"
)
ROLES = ("model", "before", "retrained")
FILES = ("forget", "retain", "held_out", "translated")
TEXTS = (*ROLES, *FILES, "dtype", "prompt_field", "response_field", "system", "chat_template_kwargs")
OUTPUT = ("html", "json", "answers")
WHOLE = ("max_length", "samples", "relearning_steps", "max_new_tokens", "batch_size", "seed")
DEFAULTS = {
    **{"dtype": "float32", "prompt_field": "prompt", "response_field": "response"},
    **{"learning_rate": 1e-5, "level": LEVEL, "max_new_tokens": 64, "batch_size": 8, "seed": 0},
}
# the smallest values of numbers
LEAST = {"max_length": 2, "samples": 1, "relearning_steps": 1, "max_new_tokens": 1, "batch_size": 1, "seed": 0}
# the largest seed of NumPy's generators
MOST = 2**32 - 1


def run(words: Sequence[str]) -> None:
    """Run the command with the words after "evaluate"; raises errors in the user's words."""
    options = parse(words)
    try:
        _run(options)
    except (ValueError, TypeError) as error:
        # "forget" and the like are words of sentences, too
        message = re.sub(rf"^({'|'.join(FILES)})(?= must )", lambda x: arguments.as_option(x[1]), str(error))
        raise ValueError(arguments.as_typed(message, set(vars(options)) - set(FILES))) from error


def _run(options: argparse.Namespace) -> None:
    from npo_tutorial.language.evaluation.answers import check_folder, find_place, read_answers, write_answers
    from npo_tutorial.language.evaluation.evaluating import make_report
    from npo_tutorial.language.evaluation.measuring import check_sets, in_other_words, prepare
    from npo_tutorial.language.records import replace_file

    _check_models(options)
    sets = _read(options)
    if options.answers is not None:
        check_folder(Path(options.answers))
    targets = _check_targets(options)
    sources = _look_up(options)
    encoding = {
        "system": options.system,
        "chat_template_kwargs": arguments.read_json("--chat-template-kwargs", options.chat_template_kwargs),
        "max_length": options.max_length,
    }
    # what is wrong with a record is found before the weights are loaded
    check_sets(sets, relearning=options.relearning_steps > 0)
    otherwise = in_other_words(sets["forget"])
    for records in [*sets.values(), *([otherwise] if otherwise else [])]:
        for source in sources.values():
            prepare(source.tokenizer, records, source.vocabulary, source.positions, **encoding)
    names = ("samples", "relearning_steps", "learning_rate", "max_new_tokens", "batch_size", "seed", "four_bits")
    asked = {name: getattr(options, name) for name in names}
    measured, failures = {}, list[str]()
    for number, (role, source) in enumerate(sources.items(), start=1):
        name, how, kept = getattr(options, role), asked | encoding, None
        which = f"--{role} {name} (model {number} of {len(sources)})"
        if options.answers is not None:
            # only now, so that it is that of the weights that are loaded
            kept = find_place(Path(options.answers), name, source, sets, **how, dtype=options.dtype)
            if (answers := read_answers(kept, sets)) is not None:
                print(f"{which} was asked before: {kept}", file=sys.stderr, flush=True)
                measured[role] = answers
                continue
        print(f"asking {which}", file=sys.stderr, flush=True)
        measured[role] = _ask(options, role, source, sets, how)
        if kept is not None:
            try:
                write_answers(kept, measured[role], model=name, asked=how | {"dtype": options.dtype})
            except OSError as error:
                failures.append(f"--answers {error}")
                # a later model may fail, too
                print(failures[-1], file=sys.stderr, flush=True)
    made = {
        "models": {role: getattr(options, role) for role in sources},
        "files": {name: getattr(options, name) for name in sets},
        "options": asked | encoding | {"dtype": options.dtype, "level": options.level},
    }
    report = make_report(measured, sets["forget"], level=options.level, seed=options.seed, made=made)
    language = options.language or preferred_language()
    contents = {
        "html": lambda: report.html(language),
        "json": lambda: json.dumps(report.json(), ensure_ascii=False, indent=1),
    }
    # before the text, whose reader may have closed the pipe
    for name, target in targets.items():
        try:
            replace_file(target, contents[name]().encode())
        except OSError as error:
            failures.append(f"--{name} {error}")
    print(report.text(language), end="")
    if failures:
        raise ValueError("; ".join(failures))


# ----- options


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options; raises ValueError in the user's words."""

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> Any:
            raise ValueError(message)

    parser = Parser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    for name in (*TEXTS, *OUTPUT):
        parser.add_argument(arguments.as_option(name), default=DEFAULTS.get(name))
    for name in WHOLE:
        parser.add_argument(arguments.as_option(name), type=int, default=DEFAULTS.get(name))
    for name in ("learning_rate", "level"):
        parser.add_argument(arguments.as_option(name), type=float, default=DEFAULTS[name])
    parser.add_argument("--language")
    parser.add_argument("--four-bits", action="store_true")
    options, unknown = parser.parse_known_args(words)
    known = [option for action in parser._actions for option in action.option_strings]
    if unknown:
        close = difflib.get_close_matches(unknown[0].partition("=")[0], known, 3)
        raise ValueError(
            f"{unknown[0]!r} is not an option" + (f": did you mean {' or '.join(close)}?" if close else "; see --help")
        )
    for name in ("model", "before", "forget"):
        if getattr(options, name) is None:
            raise ValueError(f"--{name} must be given; see --help")
    for name, value in vars(options).items():
        if isinstance(value, str):
            arguments.check_text(name, value)
        if value is not None and name in LEAST and value < LEAST[name]:
            raise ValueError(f"{arguments.as_option(name)} must be at least {LEAST[name]}, got {value}")
        if isinstance(value, int) and value > MOST:
            raise ValueError(f"{arguments.as_option(name)} must be at most {MOST}, got {value}")
    if options.language not in (None, *LANGUAGES):
        raise ValueError(f"--language must be {' or '.join(LANGUAGES)}, got {options.language}")
    if options.dtype not in ("float32", "bfloat16", "auto"):
        raise ValueError(f"--dtype must be float32, bfloat16 or auto, got {options.dtype}")
    check_positive("--learning-rate", options.learning_rate)
    if not 0 < options.level < 1:
        raise ValueError(f"--level must be between 0 and 1, got {options.level:g}")
    if options.relearning_steps is None and options.learning_rate != DEFAULTS["learning_rate"]:
        raise ValueError(f"--learning-rate must be left out without --relearning-steps, got {options.learning_rate:g}")
    if options.relearning_steps is not None and options.retain is None:
        raise ValueError("--relearning-steps needs --retain, of which records are taught as a control")
    options.samples, options.relearning_steps = options.samples or 0, options.relearning_steps or 0
    return options


def _check_models(options: argparse.Namespace) -> None:
    """Raise ValueError if the retrained model is one of those that are compared with it."""
    for role in ("model", "before"):
        if options.retrained is not None and _same(options.retrained, getattr(options, role)):
            raise ValueError(f"--retrained must be another model than --{role}, got {options.retrained} as both")


def _check_targets(options: argparse.Namespace) -> dict[str, Path]:
    """The files that will be written, once it is known that they can be, and differ from those that are read."""
    from npo_tutorial.language.records import replace_file

    targets = {name: Path(path) for name in ("html", "json") if (path := getattr(options, name)) is not None}
    for name, target in targets.items():
        if target.is_dir() or not target.parent.is_dir():
            raise ValueError(f"--{name} must be a file in a folder that exists, got {target}")
        for other in (*FILES, "html"):
            path = getattr(options, other)
            if other != name and path is not None and _same(str(target), path):
                raise ValueError(f"--{name} must be another file than {arguments.as_option(other)}, got {target}")
        try:
            replace_file(target, b"", trial=True)
        except OSError as error:
            raise ValueError(f"--{name} {error}") from None
    return targets


def _same(one: str, other: str) -> bool:
    """Whether two paths or names are those of one file, folder or model."""
    return os.path.realpath(one) == os.path.realpath(other)


def _read(options: argparse.Namespace) -> "dict[str, list[Record]]":
    paths = {name: path for name in FILES if (path := getattr(options, name)) is not None}
    for name, path in paths.items():
        for other in list(paths)[: list(paths).index(name)]:
            if _same(path, paths[other]):
                option = arguments.as_option(name)
                raise ValueError(f"{option} must be another file than {arguments.as_option(other)}, got {path}")
    fields = {"prompt": options.prompt_field, "response": options.response_field}
    return arguments.read_files(paths, dict.fromkeys(paths, fields))


# ----- models


def _look_up(options: argparse.Namespace) -> "dict[str, Source]":
    """What is known of each model without its weights; all must have one tokenizer."""
    from npo_tutorial.language.models import ModelArguments, look_up

    found: dict[str, Source] = {}
    for role in ROLES:
        if (name := getattr(options, role)) is not None:
            try:
                found[role] = look_up(ModelArguments(model=name, dtype=options.dtype))
            except ValueError as error:
                raise ValueError(_of_role(str(error), role)) from error
            # other tokens, or another template, would be other questions
            mine, theirs = found["model"].tokenizer, found[role].tokenizer
            if mine.get_vocab() != theirs.get_vocab() or mine.chat_template != theirs.chat_template:
                raise ValueError(f"--{role} must have the tokenizer and the chat template of --model, got {name}")
    return found


def _load(options: argparse.Namespace, role: str, source: "Source") -> Any:
    from npo_tutorial.language.models import ModelArguments, load

    try:
        # spread over all devices
        model, _ = load(ModelArguments(model=getattr(options, role), dtype=options.dtype), source, device_map="auto")
    except ValueError as error:
        raise ValueError(_of_role(str(error), role)) from error
    return model


def _ask(
    options: argparse.Namespace, role: str, source: "Source", sets: "dict[str, list[Record]]", how: dict[str, Any]
) -> Any:
    from npo_tutorial.language.evaluation.measuring import ask

    model = _load(options, role, source)
    try:
        return ask(model, source.tokenizer, sets, **how)
    except ValueError as error:
        raise ValueError(f"--{role} {getattr(options, role)}: {error}") from error
    finally:
        del model
        gc.collect()


def _of_role(message: str, role: str) -> str:
    """A message of `models`, which knows one option only; that of another program stays."""
    return re.sub(r"(?<!modelscope download )--model\b", f"--{role}", message)
