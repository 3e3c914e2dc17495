"""The reference model's log-probabilities, computed once: training then needs no second model in memory."""

from npo_tutorial._checks import check_count
from npo_tutorial._extras import require
from npo_tutorial.language.batches import pad
from npo_tutorial.language.sequences import sequence_logp

torch = require("torch")


def precompute_reference(model, dataset, *, batch_size=8):
    """Write log π_ref of each response into the dataset, as "ref_logp", and of what DPO prefers, as "chosen_ref_logp".

    In a run of several processes each does its share, and all get all of it.

    Parameters
    ----------
    model : transformers model
        The reference model: for NPO the model before unlearning. It is left as it was, in training mode or not.
    dataset : list of dict
        From `encode`; written to in place. Dictionaries that have a reference get a new one.
    batch_size : int
        Responses in one forward pass.

    Returns
    -------
    list of dict
        The same dataset.

    Raises
    ------
    ValueError
        The dataset is empty, or the model gives a response NaN or the probability 0.
    TypeError
        `dataset` is not a list of dictionaries with tokens and labels.
    """
    batch_size = check_count("batch_size", batch_size)
    if not isinstance(dataset, list) or not all(isinstance(item, dict) and "labels" in item for item in dataset):
        raise TypeError(f"dataset must be a list of dictionaries as encode makes them, got {type(dataset).__name__}")
    if not dataset:
        raise ValueError("dataset must not be empty, got no sample")
    accelerate, tqdm = require("accelerate"), require("tqdm.auto").tqdm
    names = [("ref_logp", "")] + [("chosen_ref_logp", "chosen_")] * ("chosen_labels" in dataset[0])
    # long ones together: less padding
    jobs = sorted(
        (
            (i, name, item[f"{prefix}input_ids"], item[f"{prefix}labels"])
            for i, item in enumerate(dataset)
            for name, prefix in names
        ),
        key=lambda job: len(job[2]),
    )
    state = accelerate.PartialState()
    mine, found = jobs[state.process_index :: state.num_processes], []
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        for start in tqdm(
            range(0, len(mine), batch_size), desc="reference", unit="batch", disable=not state.is_main_process
        ):
            part = mine[start : start + batch_size]
            batch = {name: x.to(device) for name, x in pad([job[2:] for job in part]).items()}
            labels = batch.pop("labels")
            with torch.inference_mode():
                logp = sequence_logp(model(**batch).logits, labels)
            found += [(i, name, value) for (i, name, *_), value in zip(part, logp.tolist(), strict=True)]
    finally:
        model.train(was_training)
    for i, name, value in accelerate.utils.gather_object(found):
        if not value > float("-inf"):
            raise ValueError(
                f"model must give every response a probability above 0, got log-probability {value} for sample {i}"
            )
        dataset[i][name] = value
    return dataset
