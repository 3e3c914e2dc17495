"""Peak memory and time of a step of `NPOTrainer`, with and without what saves memory, on one core.

python -m tests.benchmarks.memory --model FOLDER [--write] checks that each way computes the same averages, then prints
a table; with --write also npo_tutorial/results/memory.json. FOLDER is the language model of the book. Linux only.
"""

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import torch
import transformers

from npo_tutorial import results
from npo_tutorial.language import NPOConfig, NPOTrainer, precompute_reference, sequence_logp
from npo_tutorial.language.experiment import load_records
from npo_tutorial.language.models import ModelArguments, load, still_share
from tests.benchmarks import make_parser
from tests.benchmarks.language import reset_peak, status

# forget samples of all lengths, each with a retain sample; a prompt is a quarter of a sample
SAMPLES, BATCH, SHORTEST, LONGEST = 16, 4, 16, 128
LEARNING_RATE = 1e-5
LORA = {"lora": True, "dtype": "float32"}
HALF = {"lora": True, "dtype": "bfloat16"}
# name → options of the model, of NPOConfig, and what this file does
WAYS = {
    "all weights": ({}, {}, ""),
    "reference: second model": ({}, {}, "second model"),
    "all logits": ({}, {}, "all logits"),
    "bf16 computations": ({}, {"bf16": True}, ""),
    "bf16 weights": ({"dtype": "bfloat16"}, {}, ""),
    "length grouping": ({}, {"train_sampling_strategy": "group_by_length"}, ""),
    "recomputation": ({}, {"activation_checkpointing": True}, ""),
    "LoRA": (LORA, {}, ""),
    "LoRA, bf16 base": (HALF, {}, ""),
    "LoRA, bf16 base, recomputation": (HALF, {"activation_checkpointing": True}, ""),
    "KL: second model": (LORA, {"retain_term": "kl_ref_model"}, "ref_model"),
    "KL: adapter switched off": (LORA, {"retain_term": "kl_ref_model"}, ""),
}


class SecondModel(NPOTrainer):
    """Computes log π_ref of the forget responses by a second model, at every step."""

    second = None

    def compute_loss(self, model, inputs, *args, **options):
        n = len(inputs["ref_logp"])
        with torch.no_grad():
            logits = self.second(input_ids=inputs["input_ids"][:n], attention_mask=inputs["attention_mask"][:n]).logits
            inputs["ref_logp"] = sequence_logp(logits, inputs["labels"][:n])
        return super().compute_loss(model, inputs, *args, **options)


def make_samples(tokenizer):
    """Pieces of the general text; the same ones in every process."""
    tokens = tokenizer(" ".join(load_records()[1]))["input_ids"]
    chance = random.Random(0)

    def piece():
        length, start = chance.randint(SHORTEST, LONGEST), chance.randrange(len(tokens) - LONGEST)
        row = tokens[start : start + length]
        return {"input_ids": row, "labels": [-100] * (length // 4) + row[length // 4 :]}

    return [piece() for _ in range(SAMPLES)], [piece() for _ in range(SAMPLES)]


class Clock(transformers.TrainerCallback):
    """Seconds of this process, not of the clock on the wall, for each step: other processes do not count."""

    def __init__(self):
        self.seconds = []

    def on_step_begin(self, args, state, control, **kwargs):
        self.start = time.process_time()

    def on_step_end(self, args, state, control, **kwargs):
        self.seconds.append(time.process_time() - self.start)


def measure(folder, name):
    """One way, in this process: peak and time of an epoch, and the averages that all ways must agree on."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    of_model, of_training, own = WAYS[name]
    arguments = ModelArguments(model=folder, **of_model)
    # libraries and a pass through a part of them are not counted
    before = status("VmRSS")
    torch.manual_seed(0)
    model, tokenizer = load(arguments)
    share = still_share(model, LEARNING_RATE)
    forget, retain = make_samples(tokenizer)
    precompute_reference(model, forget, batch_size=BATCH)
    base = load(ModelArguments(model=folder))[0].eval() if own in ("second model", "ref_model") else None
    with tempfile.TemporaryDirectory() as place:
        # without a step, so that every sample meets the same weights
        args = NPOConfig(
            output_dir=place,
            learning_rate=0.0,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            logging_steps=SAMPLES // BATCH,
            disable_tqdm=True,
            **of_training,
        )
        clock = Clock()
        kind = SecondModel if own == "second model" else NPOTrainer
        trainer = kind(
            model,
            args,
            forget_dataset=forget,
            retain_dataset=retain,
            ref_model=base if own == "ref_model" else None,
            callbacks=[clock],
        )
        trainer.second = base
        trainer._keeps = trainer._keeps and own != "all logits"
        trainer.remove_callback(transformers.PrinterCallback)
        reset_peak()
        trainer.train()
        peak = (status("VmHWM") - before) * 1024 / 1e9
    (entry,) = (entry for entry in trainer.state.log_history if "loss" in entry)
    return {
        "gigabytes": peak,
        "seconds": statistics.fmean(clock.seconds),
        "trained": sum(x.numel() for x in model.parameters() if x.requires_grad),
        "still": share,
        "averages": {key: entry[key] for key in ("forget_logp_per_token", "retain_logp_per_token", "mean_weight")},
    }


def main():
    parser = make_parser("tests.benchmarks.memory", __doc__)
    parser.add_argument("--model", required=True, help="folder of SmolLM2-135M-Instruct")
    parser.add_argument("--write", action="store_true", help="store the results for the book")
    parser.add_argument("--way", choices=WAYS, help="measure only this one, and print it as JSON")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.model, options.way)))
        return
    # freed memory is returned at once, so that the peak is that of what is in use
    environment = os.environ | {
        "MALLOC_TRIM_THRESHOLD_": "0",
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "OMP_NUM_THREADS": "1",
    }
    ways = {}
    print(f"{'':26s} {'GB':>5s} {'s/step':>7s} {'trained':>8s}")
    for name in WAYS:
        command = [sys.executable, "-m", "tests.benchmarks.memory", "--model", options.model, "--way", name]
        found = json.loads(subprocess.check_output(command, env=environment, encoding="utf-8").splitlines()[-1])
        ways[name] = found
        expected = ways["all weights"]["averages"]
        tolerance = 0.05 if "bf16" in name or name == "LoRA, bf16 base, recomputation" else 1e-3
        for key, value in found.pop("averages").items() if name != "all weights" else ():
            assert abs(value - expected[key]) <= tolerance, (name, key, value, expected[key])
        print(
            f"{name:26s} {found['gigabytes']:5.2f} {found['seconds']:7.2f} {found['trained'] / 1e6:6.1f} M", flush=True
        )
    made = {
        "command": "python -m tests.benchmarks.memory --model smollm2-135m-instruct --write",
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "transformers", "peft")},
        "processor": processor(),
        "threads": 1,
        "model": Path(options.model).name,
        "batch": BATCH,
        "tokens": [SHORTEST, LONGEST],
        "learning_rate": LEARNING_RATE,
        "averages": ways["all weights"].pop("averages"),
        "ways": ways,
    }
    if options.write:
        results.save("memory", made)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
