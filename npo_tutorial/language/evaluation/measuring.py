"""What a model answers, and how probable it finds answers: the values of single questions."""

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from npo_tutorial._checks import check_count, check_positive
from npo_tutorial._extras import require
from npo_tutorial._progress import DELAY
from npo_tutorial.language.adapters import final_model
from npo_tutorial.language.batches import keeps_logits, pad, positions
from npo_tutorial.language.encoding import check_sizes, encode
from npo_tutorial.language.evaluation.metrics import extraction_strength, min_k, rouge_l_recall
from npo_tutorial.language.records import FileRecords, Record, split_turns, where
from npo_tutorial.language.sequences import IGNORE_INDEX, token_logp
from npo_tutorial.language.teaching import teach

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

tqdm = require("tqdm.auto").tqdm
# the sets that a user has
SETS = ("forget", "retain", "held_out", "translated")
# fields of a record that belong to a trainer
REFERENCES = {"ref_logp", "ref_tokens", "ref_hash", "ref_model", "chosen_ref_logp", "chosen_ref_hash"}
# arguments of `encode` that a user may give
ENCODING = ("max_length", "system", "chat_template_kwargs")
# mean distance of weights to the levels of a rounding, in steps, below which they probably were rounded to these levels
# before; of other weights it is about a quarter
NEAR = 0.1
# answers are sampled from the model's own distribution, and otherwise are its most probable tokens
NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0}


class Measured(TypedDict):
    """Result of `measure`: lists with one entry for each question."""

    #: The question, of a conversation its last turn; answers that older versions of this package kept do not have it.
    question: NotRequired[list[str]]
    #: Mean log-probability of the true answer's tokens, in nats.
    logp_per_token: list[float]
    #: `min_k` of the true answer's tokens, without the token that ends it.
    min_k: list[float]
    #: `extraction_strength` of the true answer, without the token that ends it.
    extraction_strength: list[float]
    #: The model's own answer, by its most probable tokens.
    answer: list[str]
    #: `rouge_l_recall` of the model's own answer.
    rouge_l_recall: list[float]
    #: Mean log-probability per token of the true answer in other words, in nats.
    paraphrased_logp_per_token: NotRequired[list[float]]
    #: The same of each false answer.
    false_logp_per_token: NotRequired[list[list[float]]]
    #: The sampled answers.
    sampled_answer: NotRequired[list[list[str]]]
    #: `rouge_l_recall` of each sampled answer.
    sampled_rouge: NotRequired[list[list[float]]]


def measure(
    model: "transformers.PreTrainedModel",
    tokenizer: "transformers.PreTrainedTokenizerBase",
    records: Sequence[Mapping[str, Any]],
    *,
    samples: int = 0,
    max_new_tokens: int = 64,
    batch_size: int = 8,
    seed: int = 0,
    name: str = "questions",
    **encoding: Any,
) -> Measured:
    """Ask a model every question, and compute how probable it finds the given answers.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
        Its training mode is restored afterwards.
    tokenizer : transformers.PreTrainedTokenizerBase
    records : sequence of Record
        As `read_records` returns them. Two further fields are used, if a record has them; all others must then have
        them, too: "paraphrased_response", the true answer in other words (without it "response" is taken), and
        "false_responses", a list of answers of the same form.
    samples : int
        Answers to sample for each question, at temperature 1, for `leak_at_k`.
    max_new_tokens : int
        Maximum length of the model's own answers, in tokens.
    batch_size : int
        Answers in one forward pass.
    seed : int
        Determines the sampled answers.
    name : str
        Of the records, for the progress bar.
    **encoding
        Arguments of `encode`: `max_length`, `system`, `chat_template_kwargs`.

    Raises
    ------
    ValueError
        A record that is incomplete, named with its file and line, or does not fit the model; a model whose
        log-probabilities are not finite.
    """
    check_options(samples=samples, max_new_tokens=max_new_tokens, batch_size=batch_size, seed=seed)
    text = model.config.get_text_config(decoder=True)
    limits = text.vocab_size, getattr(text, "max_position_embeddings", None)
    items = prepare(tokenizer, records, *limits, **encoding)
    was_training = model.training
    model.eval()
    # given answers, and the model's own
    total = sum(map(len, items.values())) + len(records) * (1 + bool(samples))
    bar = tqdm(total=total, desc=name, unit="answer", delay=DELAY, leave=False)
    try:
        found = _of_answers(_score(model, items["answer"], batch_size, bar), items["answer"], tokenizer)
        found["question"] = questions_of(records)
        if "false" in items:
            paraphrased, false = (
                [math.fsum(logp) / len(logp) for logp, _ in _score(model, items[kind], batch_size, bar)]
                for kind in ("paraphrased", "false")
            )
            rest = iter(false)
            found["paraphrased_logp_per_token"] = paraphrased
            found["false_logp_per_token"] = [[next(rest) for _ in r["false_responses"]] for r in records]
        options = {"max_new_tokens": max_new_tokens, "batch_size": batch_size, "seed": seed, "bar": bar}
        found["answer"] = [texts[0] for texts in generate(model, tokenizer, items["answer"], **options)]
        found["rouge_l_recall"] = [_rouge(records, i, text) for i, text in enumerate(found["answer"])]
        if samples:
            found["sampled_answer"] = generate(model, tokenizer, items["answer"], samples=samples, **options)
            found["sampled_rouge"] = [
                [_rouge(records, i, text) for text in row] for i, row in enumerate(found["sampled_answer"])
            ]
    finally:
        bar.close()
        model.train(was_training)
    return found


def check_options(**options: Any) -> None:
    """Raise an error unless these options of `measure` are numbers that it takes."""
    for name, value in options.items():
        check_count(name, value, minimum=int(name not in ("samples", "seed")))


# ----- records


def questions_of(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last turn of each prompt."""
    return [split_turns(record)[0][-1]["content"] for record in records]


def with_answer(record: Mapping[str, Any], response: str, prompt: Any = None) -> dict[str, Any]:
    """The record with another answer, and perhaps another question."""
    turns, _ = split_turns(record)
    if prompt is not None:
        # what came before the last question stays
        turns = [*turns[:-1], {"role": "user", "content": prompt}]
    return {"prompt": turns, "response": response}


def in_other_words(records: Sequence[Mapping[str, Any]]) -> list[Any] | None:
    """The questions and answers as "paraphrased_prompt" and "paraphrased_response" put them, if there are such."""
    names = ("paraphrased_prompt", "paraphrased_response")
    if not all(_has(records, name) for name in names):
        return None
    found = []
    for i, record in enumerate(records):
        prompt, response = (_text(records, i, name) for name in names)
        found.append((i, with_answer(record, response, prompt)))
    return _as_of(records, found)


def _other_answers(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The questions with the true answer in other words, and with each false answer."""
    if not _has(records, "false_responses"):
        return {}
    has_paraphrases = _has(records, "paraphrased_response")
    true, false = [], []
    for i, record in enumerate(records):
        texts = record.get("false_responses")
        if not isinstance(texts, list) or not texts or not all(isinstance(x, str) and x.strip() for x in texts):
            raise ValueError(
                f'{where(records, i)}: "false_responses" must be a non-empty list of texts, because other '
                f"records have one, got {texts!r}"
            )
        answer = _text(records, i, "paraphrased_response") if has_paraphrases else split_turns(record)[1]
        true.append((i, with_answer(record, answer)))
        false += [(i, with_answer(record, text)) for text in texts]
    return {"paraphrased": _as_of(records, true), "false": _as_of(records, false)}


def _as_of(records: Sequence[Mapping[str, Any]], made: list[tuple[int, dict[str, Any]]]) -> list[Any]:
    """Records that were made of others, each with the number of its origin, with whose place messages name it."""
    if not isinstance(records, FileRecords):
        return [record for _, record in made]
    found = FileRecords(records.path)
    found.places = [records.places[i] for i, _ in made]
    found += [cast("Record", record) for _, record in made]
    return found


def part_of(records: Sequence[Mapping[str, Any]], step: int) -> Sequence[Mapping[str, Any]]:
    """Each record whose number is a multiple of `step`, with its place in the file."""
    if not isinstance(records, FileRecords):
        return records[::step]
    return _as_of(records, [(i, dict(records[i])) for i in range(0, len(records), step)])


def _has(records: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether some record has a field: all must then have it."""
    return any(isinstance(record, Mapping) and name in record for record in records)


def _without_references(records: Sequence[Mapping[str, Any]]) -> list[Any]:
    """References are those of another model or length, and not used here."""
    found = [
        {name: x for name, x in record.items() if name not in REFERENCES} if isinstance(record, Mapping) else record
        for record in records
    ]
    return _as_of(records, list(enumerate(found)))


def _text(records: Sequence[Mapping[str, Any]], i: int, name: str) -> str:
    text = records[i].get(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'{where(records, i)}: "{name}" must be a text, because other records have one, got {text!r}')
    return text


def prepare(
    tokenizer: Any,
    records: Sequence[Mapping[str, Any]],
    vocabulary: int,
    positions: int | None,
    **encoding: Any,
) -> dict[str, list[Any]]:
    """The samples of all given answers: "answer", and where there are false answers "paraphrased" and "false"."""
    found = {"answer": encode(_without_references(records), tokenizer, **encoding)}
    for i in range(len(records)):
        _rouge(records, i, "")
    for name, those in {"answer": records, **_other_answers(records)}.items():
        items = found[name] = found.get(name) or encode(those, tokenizer, **encoding)
        if len(items) < len(those):
            kept = {item["record"] for item in items}
            place = where(those, next(i for i in range(len(those)) if i not in kept))
            raise ValueError(f"{place}: the prompt leaves no room for an answer: shorten it, or raise max_length")
        check_sizes(items, vocabulary, positions, records=those)
    return found


def _rouge(records: Sequence[Mapping[str, Any]], i: int, text: str) -> float:
    try:
        return rouge_l_recall(split_turns(records[i])[1], text)
    except ValueError:
        raise ValueError(f"{where(records, i)}: an answer must contain a word, or ROUGE-L has no value") from None


# ----- given answers


@torch.inference_mode()
def _score(model: Any, items: Sequence[Any], batch_size: int, bar: Any) -> list[tuple[list[float], list[bool]]]:
    """For each token of each response its log-probability, and whether it is the most probable one."""
    # sorted by length, which saves padding
    order = sorted(range(len(items)), key=lambda i: len(items[i]["input_ids"]))
    found: dict[int, tuple[list[float], list[bool]]] = {}
    device, keeps = next(model.parameters()).device, keeps_logits(model)
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        batch = pad([(items[i]["input_ids"], items[i]["labels"]) for i in part])
        labels = batch.pop("labels")
        keep = positions(labels)
        tokens = {name: x.to(device) for name, x in batch.items()}
        logits = model(**tokens, **({"logits_to_keep": keep} if keeps else {})).logits[:, -keep:]
        labels = labels[:, -keep:].to(device)
        logp, right = token_logp(logits, labels).cpu(), (logits[:, :-1].argmax(dim=-1) == labels[:, 1:]).cpu()
        counted = (labels[:, 1:] != IGNORE_INDEX).cpu()
        if not logp[counted].isfinite().all():
            raise ValueError("log-probabilities must be finite, got nan or inf: the model's weights are damaged")
        for i, row, flags, mask in zip(part, logp, right, counted, strict=True):
            found[i] = row[mask].tolist(), flags[mask].tolist()
        bar.update(len(part))
    return [found[i] for i in range(len(items))]


def _of_answers(scored: Sequence[tuple[list[float], list[bool]]], items: Sequence[Any], tokenizer: Any) -> Measured:
    """The metrics of the given answers."""
    found: Measured = {
        "logp_per_token": [math.fsum(logp) / len(logp) for logp, _ in scored],
        "min_k": [],
        "extraction_strength": [],
        "answer": [],
        "rouge_l_recall": [],
    }
    special = set(tokenizer.all_special_ids) | {item["labels"][-1] for item in items if _has_end(item, tokenizer)}
    for (logp, right), item in zip(scored, items, strict=True):
        n = len(logp)
        while n > 1 and item["labels"][n - len(logp) - 1] in special:
            n -= 1
        found["min_k"].append(min_k(logp[:n]))
        found["extraction_strength"].append(extraction_strength(right[:n]))
    return found


def _has_end(item: Any, tokenizer: Any) -> bool:
    """Whether the last token ends the answer, and does not belong to its text."""
    return item["labels"][-1] in tokenizer.added_tokens_decoder


# ----- the model's own answers


@torch.inference_mode()
def generate(
    model: Any,
    tokenizer: Any,
    items: Sequence[Any],
    *,
    max_new_tokens: int,
    batch_size: int,
    bar: Any,
    samples: int = 0,
    seed: int = 0,
) -> list[list[str]]:
    """The model's own answers to the prompts of samples: one by its most probable tokens, or several that it draws."""
    prompts = [
        item["input_ids"][: next(t for t, x in enumerate(item["labels"]) if x != IGNORE_INDEX)] for item in items
    ]
    own_config = getattr(model, "generation_config", None)
    ends = getattr(own_config, "eos_token_id", None)
    ends = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None}
    ends |= {item["labels"][-1] for item in items if _has_end(item, tokenizer)}
    if not ends:
        raise ValueError("tokenizer must have a token that ends an answer, got none: set tokenizer.eos_token")
    text = model.config.get_text_config(decoder=True)
    most = getattr(text, "max_position_embeddings", None) or math.inf
    device = next(model.parameters()).device
    found: list[list[str]] = []
    count = samples or 1
    # to each prompt, at most a batch of answers at once
    at_once = min(count, batch_size)
    step = max(1, batch_size // at_once)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for start in range(0, len(prompts), step):
            part = prompts[start : start + step]
            longest = max(map(len, part))
            # padded in front, so that answers begin at one place; a token that ends answers is never in their midst
            rows = [[min(ends)] * (longest - len(tokens)) + tokens for tokens in part]
            mask = [[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens in part]
            answers: list[list[str]] = [[] for _ in part]
            while (missing := count - len(answers[0])) > 0:
                config = transformers.GenerationConfig(
                    **NEUTRAL,
                    do_sample=bool(samples),
                    top_k=0 if samples else 50,
                    num_return_sequences=(n := min(missing, at_once)),
                    max_new_tokens=int(max(1, min(max_new_tokens, most - longest))),
                    eos_token_id=sorted(ends),
                    pad_token_id=min(ends),
                )
                tokens = model.generate(
                    torch.tensor(rows, device=device),
                    attention_mask=torch.tensor(mask, device=device),
                    generation_config=config,
                )
                texts = tokenizer.batch_decode(tokens[:, longest:], skip_special_tokens=True)
                for i, own in enumerate(answers):
                    own += texts[i * n : (i + 1) * n]
            found += answers
            bar.update(len(part))
    return found


# ----- all that one model is asked


def ask(
    model: "transformers.PreTrainedModel",
    tokenizer: "transformers.PreTrainedTokenizerBase",
    sets: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    four_bits: bool = False,
    relearning_steps: int = 0,
    learning_rate: float = 1e-5,
    samples: int = 0,
    **options: Any,
) -> dict[str, Measured]:
    """All that `evaluate` asks one model, which does not change.

    Parameters
    ----------
    model, tokenizer, sets
        As for `evaluate`.
    four_bits : bool
        Also ask a copy whose weights are rounded to 4 bits (`round_weights`): small steps of unlearning may be lost.
    relearning_steps : int
        Also teach a copy every second record of the forget set in this many steps, and ask the others: do they come
        back? As a control, another copy is taught as many records of the retain set, and asked the same.
    learning_rate : float
        Of these steps, of AdamW.
    samples : int
        Answers to sample for each question of the forget set; see `measure`.
    **options
        Further arguments of `measure`.

    Returns
    -------
    dict
        A `Measured` for each name of `sets`, and where they were asked for "otherwise" (in other words), "rounded",
        "relearned" and "control".

    Notes
    -----
    Source: for other words arXiv:2309.17410; for another language arXiv:2601.06675; for rounding arXiv:2410.16454; for
    relearning arXiv:2406.13356. Convention: only the forget set is asked in all these ways.
    """
    check_count("relearning_steps", relearning_steps, minimum=0)
    check_sets(sets, relearning=relearning_steps > 0)
    check_positive("learning_rate", learning_rate)
    found = {
        name: measure(model, tokenizer, records, name=name, **options)
        for name, records in sets.items()
        if name != "forget"
    }
    forget = sets["forget"]
    found["forget"] = measure(model, tokenizer, forget, samples=samples, name="forget", **options)
    if (otherwise := in_other_words(forget)) is not None:
        found["otherwise"] = measure(model, tokenizer, otherwise, name="otherwise", **options)
    if four_bits:
        found["rounded"] = measure(round_weights(model), tokenizer, forget, name="rounded", **options)
    if relearning_steps:
        encoding = {name: value for name, value in options.items() if name in ENCODING}
        half = forget[::2]
        taught = {"relearned": half, "control": sets["retain"][:: len(sets["retain"]) // len(half)][: len(half)]}
        for name, records in taught.items():
            # all weights are taught, as of a model without an adapter: models are compared
            again = final_model(copy.deepcopy(model), merge=hasattr(model, "merge_and_unload")).requires_grad_(True)
            lesson = encode(records, tokenizer, **encoding)
            teach(again, lesson, relearning_steps, learning_rate=learning_rate, seed=options.get("seed", 0))
            found[name] = measure(again, tokenizer, forget[1::2], name=name, **options)
    return found


@torch.no_grad()
def round_weights(model: Any, *, bits: int = 4, group: int = 32, symmetric: bool | None = None) -> Any:
    """A copy of a model whose weight matrices have at most 2^bits values in each group of weights.

    w → low + step · round((w − low)/step) with step = (high − low)/(2^bits − 1), where low and high are the least and
    the greatest of `group` neighbouring weights; with `symmetric`, w → step · round(w/step) with
    step = max |w|/(2^(bits−1) − 1), which are 2^bits − 1 values. Embeddings stay as they are, and an adapter is added
    to the weights first.

    Source: rounding to nearest, one of the methods of arXiv:2410.16454. Convention: the weights keep their dtype, so
    this shows what rounding does to a model, and saves no memory.

    Parameters
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
    bits : int
    group : int
        Where it does not divide the rows of a matrix, a whole row is one group.
    symmetric : bool, optional
        Levels symmetric around 0, of 2 bits or more. By default only if the weights are close to the levels between low
        and high, as in a model that comes from a file with 4 bits: rounding to these would undo nearly all training
        since, and say nothing about unlearning. Other formats of files are not recognised.

    Warns
    -----
    UserWarning
        The weights are already close to the levels to which they are rounded.
    """
    model = final_model(copy.deepcopy(model), merge=hasattr(model, "merge_and_unload"))
    layers, options = rounded_layers(model), {"bits": bits, "group": group}
    if symmetric is None:
        symmetric = bits > 1 and distance_to_levels(layers, **options) < NEAR
    if (distance := distance_to_levels(layers, symmetric=symmetric, **options)) < NEAR:
        warnings.warn(
            f"the weights are already close to the levels for {bits=} (on average {distance:.1g} of a step away), so "
            "rounding undoes what was trained since: choose another symmetric or group",
            stacklevel=2,
        )
    for layer in layers:
        low, step, levels = find_levels(layer.weight, symmetric=symmetric, **options)
        layer.weight.data = (levels * step + low).view_as(layer.weight).to(layer.weight.dtype)
    return model


def distance_to_levels(layers: Any, **options: Any) -> float:
    """Mean distance of weights to the levels of `find_levels`, in steps: a quarter if they lie anywhere in between."""
    distance, count = 0.0, 0
    for layer in layers:
        low, step, levels = find_levels(layer.weight, **options)
        distance += float(((layer.weight.data.float().view_as(levels) - low) / step - levels).abs().sum())
        count += levels.numel()
    return distance / count


def rounded_layers(model: Any) -> list[Any]:
    """The layers whose weights `round_weights` rounds."""
    found = []
    for layer in model.modules():
        weight = getattr(layer, "weight", None)
        # some layers that are linear are of another class, such as GPT-2's
        if not isinstance(weight, torch.nn.Parameter) or weight.ndim != 2 or isinstance(layer, torch.nn.Embedding):
            continue
        if layer is not model.get_output_embeddings():
            found.append(layer)
    return found


@torch.no_grad()
def find_levels(
    weight: "torch.Tensor", *, bits: int = 4, group: int = 32, symmetric: bool = False
) -> tuple[Any, Any, Any]:
    """For each group of weights level 0 and the distance of its levels, and of each weight its level."""
    # symmetric levels of one bit would all be 0
    check_count("bits", bits, minimum=1 + symmetric)
    check_count("group", group)
    width = weight.shape[1]
    values = weight.data.float().reshape(-1, width if width % group else group)
    low, high = values.aminmax(dim=-1, keepdim=True)
    if symmetric:
        low, high = torch.zeros_like(low), torch.maximum(-low, high)
    step = ((high - low) / (2 ** (bits - symmetric) - 1)).clamp(min=torch.finfo(torch.float32).tiny)
    return low, step, ((values - low) / step).round()


def check_sets(sets: Mapping[str, Sequence[Mapping[str, Any]]], *, relearning: bool = False) -> None:
    """Raise a ValueError unless the sets are those of `evaluate`."""
    if not isinstance(sets, Mapping) or "forget" not in sets:
        raise ValueError("sets must be a dict with the records to forget as 'forget', and may have others")
    least = {name: 2 for name in SETS}
    if relearning:
        if "retain" not in sets:
            raise ValueError("relearning_steps needs 'retain' in sets, of which records are taught as a control")
        # half of it is asked
        least |= {"forget": 4, "retain": (len(sets["forget"]) + 1) // 2}
    for name, records in sets.items():
        if name not in SETS:
            raise ValueError(f"sets must have the names {', '.join(map(repr, SETS))}, got {name!r}")
        if len(records) < least[name]:
            place = f" in {records.path}" if isinstance(records, FileRecords) else ""
            why = "relearning" if least[name] > 2 else "an interval"
            raise ValueError(f"{name} must have at least {least[name]} records for {why}, got {len(records)}{place}")
