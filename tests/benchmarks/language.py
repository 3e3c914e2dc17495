"""What `sequence_logp` and `NPOTrainer` cost, compared with TRL's log-probabilities and with plain fine-tuning.

python -m tests.benchmarks.language checks correctness first, then prints ratios of times and of memory with the
promised bounds.
"""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial

import torch
import transformers
from trl.trainer.utils import selective_log_softmax

from npo_tutorial.language import NPOConfig, NPOTrainer, precompute_reference, sequence_logp
from tests.benchmarks import make_parser

BATCH, TIME, VOCABULARY = 4, 128, 49152
ROUNDS = 9


def by_trl(logits, labels):
    targets = labels[:, 1:]
    counted = targets != -100
    return (selective_log_softmax(logits[:, :-1], targets.clamp(min=0)) * counted).sum(dim=-1)


WAYS = {"ours": sequence_logp, "TRL": by_trl}


def make_logits(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(BATCH, TIME, VOCABULARY, generator=generator)
    labels = torch.randint(VOCABULARY, (BATCH, TIME), generator=generator)
    labels[:, : TIME // 4] = -100
    return logits.to(dtype).requires_grad_(), labels


def forward_and_backward(way, logits, labels):
    logits.grad = None
    WAYS[way](logits, labels).sum().backward()


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratio_of_times(one, other):
    """The fastest round of one over the fastest of the other; the two take turns."""
    for run in (one, other):
        run()
    rounds = [(seconds(one), seconds(other)) for _ in range(ROUNDS)]
    return min(a for a, _ in rounds) / min(b for _, b in rounds)


def status(name):
    """A number of kB in Linux's status of this process."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def reset_peak():
    """Reset the peak; returns the memory in use."""
    with open("/proc/self/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")
    return status("VmRSS")


def peak_memory(way, dtype):
    """kB beyond the logits at the peak of one forward and backward pass, in a process of its own."""
    code = (
        "import torch\n"
        "from tests.benchmarks.language import *\n"
        f"logits, labels = make_logits(torch.{dtype})\n"
        "before = reset_peak()\n"
        f"forward_and_backward({way!r}, logits, labels)\n"
        "print(status('VmHWM') - before)\n"
    )
    # freed memory is returned at once, so the peak belongs to this pass
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    return int(subprocess.check_output([sys.executable, "-c", code], env=environment, encoding="utf-8").split()[-1])


def make_trainers(folder):
    """NPOTrainer with references and a plain Trainer, for the same model and the same batch of 8 responses."""
    config = transformers.LlamaConfig(
        vocab_size=8192,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=256,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config)
    tokens = torch.randint(8192, (8, 128)).tolist()
    data = [{"input_ids": row, "labels": [-100] * 32 + row[32:]} for row in tokens]
    args = NPOConfig(
        output_dir=folder,
        max_steps=1,
        per_device_train_batch_size=8,
        learning_rate=1e-6,
        logging_strategy="no",
        disable_tqdm=True,
    )
    ours = NPOTrainer(model, args, forget_dataset=precompute_reference(model, data))

    def plain_batch(items):
        batch = {name: torch.tensor([item[name] for item in items]) for name in ("input_ids", "labels")}
        return batch | {"attention_mask": torch.ones_like(batch["input_ids"])}

    plain = transformers.Trainer(model, args, train_dataset=data, data_collator=plain_batch)
    trainers = {"ours": ours, "plain": plain}
    for trainer in trainers.values():
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.create_optimizer()
    return {name: (trainer, next(iter(trainer.get_train_dataloader()))) for name, trainer in trainers.items()}


def step(trainer, batch):
    trainer.current_gradient_accumulation_steps = 1
    trainer.training_step(trainer.model, dict(batch), trainer._get_num_items_in_batch([batch], trainer.args.device))
    trainer.optimizer.step()
    trainer.model.zero_grad()


def main():
    make_parser("tests.benchmarks.language", __doc__).parse_args()
    transformers.utils.logging.disable_progress_bar()
    rows = []
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
        logits, labels = make_logits(dtype)
        exact = by_trl(logits.detach().double(), labels)
        error = {way: (WAYS[way](logits, labels) - exact).abs().max().item() for way in WAYS}
        assert error["ours"] <= tolerance * exact.abs().max(), error
        name = str(dtype).removeprefix("torch.")
        print(f"{name}: off by at most {error['ours']:.2g} nats, TRL's by {error['TRL']:.2g}")
        ours, theirs = (partial(forward_and_backward, way, logits, labels) for way in WAYS)
        rows.append((f"{name}, time, both ways", ratio_of_times(ours, theirs), 1.1))
        memory = {way: peak_memory(way, name) for way in WAYS}
        rows.append((f"{name}, peak memory beyond the logits", memory["ours"] / memory["TRL"], 1.0))
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = make_trainers(folder).values()
        rows.append(
            (
                "a step of NPOTrainer over one of Trainer",
                ratio_of_times(partial(step, *ours), partial(step, *plain)),
                1.1,
            )
        )
    for what, ratio, bound in rows:
        print(f"{what:45s} {ratio:6.2f}  promised: at most {bound:g}  {'reached' if ratio <= bound else 'NOT reached'}")


if __name__ == "__main__":
    main()
