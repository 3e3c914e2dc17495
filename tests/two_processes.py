"""Trainings and evaluations whose results must not depend on how many processes share the work.

torchrun --nproc-per-node 2 -m tests.two_processes FOLDER [CASE …]

Without torchrun it is one process, which is still not that of the tests: data loaders fork their workers, and a fork of
a process that has a browser may never end.
"""

import argparse
import os
from collections import defaultdict
from pathlib import Path

import accelerate
import torch
import transformers

from npo_tutorial.language import NPOTrainer
from tests.tiny_language import logged, make_model, make_trainer, many_datasets, other_model, parameters

# five forget samples in steps of four: the second step of an epoch has one
N_FORGET, N_RETAIN, TOTAL, N_STEPS = 5, 7, 4, 8
FORK = {"dataloader_multiprocessing_context": "fork", "dataloader_prefetch_factor": 3}
# each with the number of micro-batches of a process and its further options
CASES = {
    "plain": (1, {}),
    "micro-batches": (2, {}),
    "workers": (1, {"dataloader_num_workers": 1}),
    "persistent workers": (2, {"dataloader_num_workers": 2, "dataloader_persistent_workers": True} | FORK),
    "tokens": (2, {"loss": "wga", "forget_reduction": "tokens", "retain_reduction": "tokens"}),
    "KL": (1, {"retain_term": "kl_ref_model", "retain_reduction": "tokens"}),
    "by length": (2, {"train_sampling_strategy": "group_by_length"}),
    "in order": (1, {"train_sampling_strategy": "sequential"}),
    "whole batches": (1, {"dataloader_drop_last": True}),
    "another seed": (1, {"data_seed": 7}),
}


def mark(samples):
    """Number the samples in their second token, so that batches show which they contain."""
    for i, item in enumerate(samples):
        item["input_ids"][1] = 3 + i
    return samples


def make_data():
    forget, retain = many_datasets(N_FORGET, N_RETAIN)
    return mark(forget), mark(retain)


class Recording(NPOTrainer):
    """Records which pairs (forget sample, retain sample) each step was computed from, in this process."""

    def compute_loss(self, model, inputs, **options):
        if model.training:
            forget, retain = (inputs["input_ids"][:, 1] - 3).chunk(2)
            pairs = zip(inputs["sizes"][:, 0].tolist(), forget.tolist(), retain.tolist(), strict=True)
            # fillers count as no sample
            met[self.state.global_step + 1] += [pair for count, *pair in pairs if count]
        return super().compute_loss(model, inputs, **options)


met: dict[int, list] = defaultdict(list)


def run(folder, case, processes, resume=None):
    micro, options = CASES[case]
    options = {"loss": "npo", "beta": 0.3} | options
    if options["loss"] == "wga":
        options["beta"] = 0.5
    met.clear()
    forget, retain = make_data()
    if "KL" in case:
        options["ref_model"] = make_model()
    trainer = make_trainer(
        folder,
        other_model(),
        forget,
        trainer=Recording,
        retain_dataset=retain,
        eval_dataset={"forget": forget, "retain": retain},
        max_steps=N_STEPS,
        per_device_train_batch_size=TOTAL // processes // micro,
        gradient_accumulation_steps=micro,
        per_device_eval_batch_size=TOTAL // processes,
        save_strategy="steps",
        save_steps=3,
        **options,
    )
    trainer.train(resume_from_checkpoint=resume)
    gathered = accelerate.utils.gather_object([dict(met)]) if processes > 1 else [dict(met)]
    steps = sorted({step for one in gathered for step in one})
    return {
        "met": {step: sorted(pair for one in gathered for pair in one.get(step, [])) for step in steps},
        "log": {name: logged(trainer, name) for name in ("loss", "mean_weight", "retain_logp_per_token")},
        "weights": parameters(trainer.model),
        "metrics": trainer.evaluate() | trainer.evaluate(forget),
        "given": [trainer.evaluate(samples) for samples in (forget[:3], forget[3:])],
        "predictions": torch.tensor(trainer.predict(retain).predictions),
    }


def run_all(folder, processes, cases):
    found = {case: run(Path(folder, case), case, processes) for case in cases}
    found["resumed"] = run(
        Path(folder, "resumed"), "persistent workers", processes, Path(folder, "persistent workers", "checkpoint-3")
    )
    return found


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.two_processes", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write found.pt")
    parser.add_argument("cases", nargs="*", metavar="CASE", help='one of CASES, among them "persistent workers"')
    given = parser.parse_args()
    folder = given.folder
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    found = run_all(folder, processes, given.cases or CASES)
    if int(os.environ.get("RANK", "0")) == 0:
        torch.save(found, folder / "found.pt")
    if processes > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
