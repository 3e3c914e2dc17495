"""Files of questions and answers, and the tokens and labels made from them (chapter "language-model")."""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from sys import float_info
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from npo_tutorial._checks import check_count
from npo_tutorial.language.sequences import IGNORE_INDEX

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# the answers that DPO prefers where a record has no "chosen"; prompts in Chinese get a refusal in Chinese
REFUSALS = {
    "en": (
        "I don't know.",
        "I'm not sure about that.",
        "I have no information on this.",
        "That is something I can't answer.",
    ),
    "zh": ("我不知道。", "这个问题我不清楚。", "我没有这方面的信息。", "这个我答不上来。"),
}


class Record(TypedDict):
    """A question and its answer: one line of a JSON Lines file. Further fields are kept but ignored."""

    #: The question.
    prompt: str
    #: The answer to forget, or to retain.
    response: str
    #: The answer that DPO prefers.
    chosen: NotRequired[str]
    #: log π_ref of `response`, from `precompute_reference`.
    ref_logp: NotRequired[float]
    #: log π_ref of `chosen`.
    chosen_ref_logp: NotRequired[float]
    #: Number of response tokens for which `ref_logp` was computed.
    ref_tokens: NotRequired[int]


class Sample(TypedDict):
    """A record as a model reads it: tokens and labels."""

    #: Index of the record.
    record: int
    #: Tokens of prompt and response.
    input_ids: list[int]
    #: The same tokens, with −100 in place of those of the prompt.
    labels: list[int]
    #: Tokens of the prompt and the answer that DPO prefers.
    chosen_input_ids: NotRequired[list[int]]
    #: Labels of the answer that DPO prefers.
    chosen_labels: NotRequired[list[int]]
    #: log π_ref of the response, from `precompute_reference`.
    ref_logp: NotRequired[float]
    #: log π_ref of the answer that DPO prefers.
    chosen_ref_logp: NotRequired[float]


def read_records(path: str | PathLike[str]) -> list[Record]:
    """Records of a JSON Lines file: one object per line, with the texts "prompt" and "response".

    "chosen" may hold the answer that DPO prefers; "ref_logp", "ref_tokens" and "chosen_ref_logp" hold the results of
    `precompute_reference`. Further fields are kept but ignored; blank lines are skipped.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    list of Record

    Raises
    ------
    ValueError
        A bad line, named with file and line number; a file without records.
    OSError
        The file cannot be read.
    """
    records: list[Record] = []
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
        raise ValueError(f"{path}: the file contains no records")
    return records


def write_records(path: str | PathLike[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as JSON Lines, one per line, in the form that `read_records` reads."""
    Path(path).write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


def _check_record(record: Any) -> Record:
    if not isinstance(record, dict):
        raise ValueError(f"a record must be a JSON object, got {json.dumps(record)[:40]}")
    for name in ("prompt", "response", "chosen"):
        if name not in record:
            if name != "chosen":
                raise ValueError(f'the field "{name}" is missing, got {", ".join(map(json.dumps, record)) or "none"}')
        elif not isinstance(record[name], str) or not record[name].strip():
            raise ValueError(f'"{name}" must be a non-empty string, got {json.dumps(record[name])[:40]}')
    for name in ("ref_logp", "chosen_ref_logp"):
        value = record.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -float_info.max <= value <= 0:
            raise ValueError(f'"{name}" must be a log-probability, at most 0, got {json.dumps(value)[:40]}')
    return cast("Record", record)


def encode(
    records: Sequence[Mapping[str, Any]],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    max_length: int | None = None,
    chosen: bool = False,
) -> list[Sample]:
    """Tokens and labels of each record, for `NPOTrainer` and `precompute_reference`.

    A tokenizer with a chat template puts the prompt into the user's turn. Others get the prompt unchanged, so the
    response must begin with the space that separates the two. An end-of-sequence token is appended to the response and
    counts as one of its tokens.

    Parameters
    ----------
    records : sequence of Record
        As `read_records` returns them.
    tokenizer : transformers.PreTrainedTokenizerBase
    max_length : int, optional
        Maximum number of tokens of prompt and response together, at least 2. Longer responses are truncated at the end;
        a record whose prompt leaves no room for a response is skipped, with a warning.
    chosen : bool
        Also encode the answer that DPO prefers: the record's "chosen", or else one of `REFUSALS`, in turn.

    Returns
    -------
    list of Sample
        References in the records are copied, if they were computed for the same number of response tokens.
    """
    if max_length is not None:
        max_length = check_count("max_length", max_length, minimum=2)
    dataset: list[Sample] = []
    skipped: list[int] = []
    for i, record in enumerate(records):
        if not isinstance(record, Mapping) or not all(isinstance(record.get(x), str) for x in ("prompt", "response")):
            raise TypeError(
                f"records must be dicts with the texts 'prompt' and 'response', got {record!r} at index {i}"
            )
        prompt, response = _prompt_tokens(tokenizer, record["prompt"]), record["response"]
        if max_length is not None and len(prompt) >= max_length:
            skipped.append(i)
            continue
        item: Any = {"record": i, **_join(tokenizer, prompt, response, max_length)}
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
        raise ValueError(
            f"records must contain at least one that fits max_length={max_length}, got {len(records)} that do not"
            if records
            else "records must not be empty, got none"
        )
    return dataset


def _prompt_tokens(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> list[int]:
    encoding: Any
    if tokenizer.chat_template is None:
        encoding = tokenizer(prompt)
    else:
        turn = [{"role": "user", "content": prompt}]
        encoding = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)
    return encoding["input_ids"]


def _join(
    tokenizer: "PreTrainedTokenizerBase", prompt: list[int], response: str, max_length: int | None
) -> dict[str, list[int]]:
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    tokens = tokenizer(response, add_special_tokens=False)["input_ids"] + end
    input_ids = (prompt + tokens)[:max_length]
    return {"input_ids": input_ids, "labels": [IGNORE_INDEX] * len(prompt) + input_ids[len(prompt) :]}


def preferred_answer(record: Mapping[str, Any], i: int) -> str:
    """The answer that DPO prefers to the response of record number `i`: its "chosen", or else a refusal."""
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in record["prompt"])
    refusals = REFUSALS["zh" if is_chinese else "en"]
    return record.get("chosen") or refusals[i % len(refusals)]
