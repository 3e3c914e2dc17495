"""TOFU in miniature: a small model learns an invented world and forgets a tenth of its people, by many methods.

python experiments/unlearn_world.py --help

The world is that of `world.py`; methods, hyperparameters and the rule for learning rates are in `unlearn_world.toml`.
The work is done in pieces, each of which ends with a JSON file in a work folder:

- "all", "retained", "untaught": the model that was taught everybody, the one that was taught everybody but the people
  to forget (the retrained model), and the one that was never taught this world; what each answers;
- "thorough-all", "thorough-retained": what else they are asked: sampled answers, after rounding to 4 bits, after
  relearning, in other words, and in Chinese;
- "rate-METHOD": the learning rate, by the rule;
- "METHOD-SEED": a run from "all", asked after a few steps.

A piece that is there is not made again, and a model that is being taught goes on after its last epoch, so the script
may be interrupted at any time. Once all pieces are there it computes verdicts and intervals, and prints a table.
"""

import argparse
import gc
from collections.abc import Sequence
from pathlib import Path

import filelock
import torch
import transformers
from tqdm.auto import tqdm
from world_pieces import Experiment
from world_results import as_table, put_together
from world_settings import read_settings

from npo_tutorial import results
from npo_tutorial._checks import check_choice
from npo_tutorial._console import replace_unprintable
from npo_tutorial.language import smollm

MODEL = "_build/smollm2-135m-instruct"


def show_list(experiment: Experiment) -> None:
    """Print the pieces, and how long each took, on the clock and on all cores together."""
    total = [0, 0]
    print(f"{'piece':20} {'seconds':>9} {'core seconds':>14}")
    for name in experiment.pieces:
        piece = experiment.stored(name)
        if piece is None:
            print(f"{name:20} {'to do':>9}")
        else:
            times = piece["seconds"], piece["core_seconds"]
            total = [x + y for x, y in zip(total, times, strict=True)]
            print("{:20} {:9d} {:14d}".format(name, *times))
    print("{:20} {:9d} {:14d}".format("together", *total))


def main(words: Sequence[str] | None = None) -> None:
    replace_unprintable()
    parser = argparse.ArgumentParser(
        prog="python experiments/unlearn_world.py",
        description="Teach a small model an invented world, and let it forget a tenth of it, in pieces. What is there "
        "is not done again, so this may be stopped (Ctrl-C) and called again at any time.",
    )
    parser.add_argument(
        "--model",
        default=MODEL,
        help="folder of the model; the default is downloaded if it is not there (default: %(default)s)",
    )
    parser.add_argument(
        "--folder", type=Path, help="where pieces are kept (default: _build/world, with --short _build/world-short)"
    )
    parser.add_argument(
        "--short", action="store_true", help="two people of eight, three methods and few steps: 15 minutes on a laptop"
    )
    parser.add_argument("--only", metavar="NAME", help="only this piece, and those that it needs")
    parser.add_argument(
        "--list", action="store_true", help="print the names of the pieces and how long each took, and do nothing"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="at the end, put everything that the book shows into npo_tutorial/results/world.json",
    )
    options = parser.parse_args(words)
    if options.write and (partly := "--short" if options.short else "--only" if options.only else ""):
        parser.error(f"--write must not be given with {partly}: the book needs all pieces")
    folder = options.folder or Path("_build/world-short" if options.short else "_build/world")
    try:
        experiment = Experiment(folder, options.model, read_settings(short=options.short))
        if options.only is not None:
            check_choice("--only", options.only, tuple(experiment.pieces))
        if options.list:
            show_list(experiment)
        elif options.only is not None:
            work(experiment, [options.only])
        else:
            work(experiment, list(experiment.pieces))
            found = put_together(experiment)
            print(as_table(found))
            if options.write:
                results.save("world", found)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "stopped; the same command goes on where it was\n")


def work(experiment: Experiment, names: Sequence[str]) -> None:
    """Make pieces, while no other process works in the folder."""
    experiment.folder.mkdir(parents=True, exist_ok=True)
    transformers.utils.logging.disable_progress_bar()
    # NPO's weights fade until their squares in AdamW are subnormal numbers, with which processors are slow
    torch.set_flush_denormal(True)
    try:
        with filelock.FileLock(experiment.folder / ".lock", timeout=0):
            if experiment.model == MODEL:
                smollm.fetch(MODEL)
            for name in tqdm(names, unit="piece"):
                experiment.do(name)
                gc.collect()
    except filelock.Timeout:
        raise ValueError(f"--folder must be one in which no other run works, got {experiment.folder}") from None
    finally:
        torch.set_flush_denormal(False)


if __name__ == "__main__":
    main()
