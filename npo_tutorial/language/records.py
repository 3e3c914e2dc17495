"""Files of questions and answers, and what a model is given of them: tokens and labels (chapter "language-model")."""

import json
import warnings
from pathlib import Path
from sys import float_info

from npo_tutorial._checks import check_count
from npo_tutorial.language.sequences import IGNORE_INDEX

# what DPO prefers where a record names no answer of its own; those in Chinese answer prompts in Chinese
REFUSALS = {
    "en": (
        "I don't know.",
        "I'm not sure about that.",
        "I have no information on this.",
        "That is something I can't answer.",
    ),
    "zh": ("我不知道。", "这个问题我不清楚。", "我没有这方面的信息。", "这个我答不上来。"),
}


def read_records(path):
    """Records of a JSON Lines file: one object a line, with the texts "prompt" and "response".

    "chosen" may hold the answer that DPO prefers, "ref_logp" (with "ref_tokens" and, for DPO, "chosen_ref_logp") what
    `precompute_reference` found. Further fields are kept and not looked at; empty lines are passed over.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        With file and line: no JSON object, a text that is missing, empty or no text, a reference that is no
        log-probability, no record at all.
    OSError
        The file cannot be read.
    """
    records = []
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if text:
                    records.append(_check_record(json.loads(text)))
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}, line {number}: not UTF-8 ({error.reason})") from None
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno})") from None
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    if not records:
        raise ValueError(f"{path}: no record, the file is empty")
    return records


def write_records(path, records):
    """Write records as JSON Lines, one a line, as `read_records` reads them."""
    Path(path).write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


def _check_record(record):
    if not isinstance(record, dict):
        raise ValueError(f"a record must be a JSON object, got {json.dumps(record)[:40]}")
    for name in ("prompt", "response", "chosen"):
        if name not in record:
            if name != "chosen":
                raise ValueError(f'the field "{name}" is missing, got {", ".join(map(json.dumps, record)) or "none"}')
        elif not isinstance(record[name], str) or not record[name].strip():
            raise ValueError(f'"{name}" must be a text that is not empty, got {json.dumps(record[name])[:40]}')
    for name in ("ref_logp", "chosen_ref_logp"):
        value = record.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -float_info.max <= value <= 0:
            raise ValueError(f'"{name}" must be a log-probability, at most 0, got {json.dumps(value)[:40]}')
    return record


def encode(records, tokenizer, *, max_length=None, chosen=False):
    """Tokens and labels of each record, for `NPOTrainer` and `precompute_reference`.

    A tokenizer with a chat template puts the prompt into the user's turn; another one takes it as it stands, so that
    "response" must then bring the space it begins with. The response ends with the end-of-sequence token, which counts
    as one of its tokens.

    Parameters
    ----------
    records : sequence of dict
        As `read_records` returns them.
    tokenizer : transformers tokenizer
    max_length : int, optional
        Most tokens of prompt and response together, at least 2. Longer responses are cut off at their end; a record
        whose prompt leaves no room for a response is skipped.
    chosen : bool
        Also encode the answer that DPO prefers: the record's "chosen", else one of `REFUSALS`, in turn.

    Returns
    -------
    list of dict
        "input_ids" and "labels" (lists of int), with `chosen` also "chosen_input_ids" and "chosen_labels"; references
        that the record brought; "record", its index.

    Raises
    ------
    ValueError
        No record, or none that fits; a reference for a response of another length; `max_length` below 2.

    Warns
    -----
    UserWarning
        How many records were skipped, and the first of them.
    """
    if max_length is not None:
        max_length = check_count("max_length", max_length, minimum=2)
    dataset, skipped = [], []
    for i, record in enumerate(records):
        prompt, response = _prompt_tokens(tokenizer, record["prompt"]), record["response"]
        if max_length is not None and len(prompt) >= max_length:
            skipped.append(i)
            continue
        item = {"record": i, **_join(tokenizer, prompt, response, max_length)}
        if chosen:
            preferred = _join(tokenizer, prompt, preferred_answer(record, i), max_length)
            item |= {f"chosen_{name}": tokens for name, tokens in preferred.items()}
        if "ref_logp" in record:
            length = sum(label != IGNORE_INDEX for label in item["labels"])
            if record.get("ref_tokens", length) != length:
                raise ValueError(
                    f"ref_logp of record {i} was computed for {record['ref_tokens']} response tokens, got {length}: "
                    "compute references with the same tokenizer and max_length"
                )
            item |= {name: float(record[name]) for name in ("ref_logp", "chosen_ref_logp") if name in record}
        dataset.append(item)
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {len(records)} records skipped, record {skipped[0]} first: the prompt leaves no room "
            f"for a response in {max_length} tokens",
            stacklevel=2,
        )
    if not dataset:
        raise ValueError(f"records must hold at least one that fits max_length={max_length}, got {len(records)}")
    return dataset


def _prompt_tokens(tokenizer, prompt):
    if tokenizer.chat_template is None:
        return tokenizer(prompt)["input_ids"]
    turn = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)["input_ids"]


def _join(tokenizer, prompt, response, max_length):
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    tokens = tokenizer(response, add_special_tokens=False)["input_ids"] + end
    input_ids = (prompt + tokens)[:max_length]
    return {"input_ids": input_ids, "labels": [IGNORE_INDEX] * len(prompt) + input_ids[len(prompt) :]}


def preferred_answer(record, i):
    """What DPO prefers to the response of record number `i`: its "chosen", else a refusal."""
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in record["prompt"])
    refusals = REFUSALS["zh" if is_chinese else "en"]
    return record.get("chosen") or refusals[i % len(refusals)]
