"""Records as a model reads them: chat templates, tokens and labels (chapter "language-model")."""

import datetime
import hashlib
import re
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from npo_tutorial._checks import check_count
from npo_tutorial.language.records import Sample, Turn, answer, split_turns, where
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
# stands for a response, to find where a chat template writes it; Python escapes it in a list that is printed
MARK = "\ue000\ue001"
# put before templates that write today's date: tokens must be the same tomorrow. Llama's templates know this day
DATE = datetime.date(2024, 7, 26)
FIXED_DATE = "{{% macro strftime_now(format) %}}{{{{ format{} }}}}{{% endmacro +%}}".format(
    "".join(f"|replace('{code}', '{DATE.strftime(code)}')" for code in ("%d", "%m", "%Y", "%y", "%b", "%B", "%a", "%A"))
)
# how a user gives a model another template
ANOTHER = "put another chat_template.jinja into the model's folder (in Python set tokenizer.chat_template)"


def encode(
    records: Sequence[Mapping[str, Any]],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    max_length: int | None = None,
    chosen: bool = False,
    system: str | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> list[Sample]:
    """Tokens and labels of each record, for `NPOTrainer` and `precompute_reference`.

    Convention. With a chat template the prompt is what the template writes when the model is asked, and what else it
    writes before a given response, such as an empty block of thoughts. What it writes after the response, up to and
    including the first special token, is the response's end; the model stops there. Some templates end a turn only by
    beginning the next, and the token that begins it is then the end. Without a template the prompt is used unchanged,
    so the response must begin with the space that separates the two. Where no template writes an end, the
    end-of-sequence token is appended. The end counts as one of the response's tokens.

    A template that writes today's date writes 26 July 2024, so that tokens do not depend on the day. If a template
    needs the texts as lists of parts, it gets them so.

    Parameters
    ----------
    records : sequence of Record
        As `read_records` returns them.
    tokenizer : transformers.PreTrainedTokenizerBase
    max_length : int, optional
        Maximum number of tokens of prompt and response together, at least 2. Longer responses are truncated at the end,
        with a warning; a record whose prompt leaves no room for a response is skipped, with a warning.
    chosen : bool
        Also encode the answer that DPO prefers: the record's "chosen", or else one of `REFUSALS`, in turn.
    system : str, optional
        The system turn of records that have none.
    chat_template_kwargs : dict, optional
        Variables of the chat template, such as ``{"enable_thinking": False}``.

    Returns
    -------
    list of Sample
        References in the records are copied, if they were computed for the same tokens.

    Raises
    ------
    ValueError
        A record that is incomplete, or whose texts the chat template or the tokenizer drops or changes; a reference
        that was computed for other tokens; no record that fits.
    """
    if max_length is not None:
        max_length = check_count("max_length", max_length, minimum=2)
    if system is not None and (not isinstance(system, str) or not system.strip()):
        raise ValueError(f"system must be a non-empty string, got {system!r}")
    if chat_template_kwargs is not None and not isinstance(chat_template_kwargs, Mapping):
        raise TypeError(f"chat_template_kwargs must be a dict, got {chat_template_kwargs!r}")
    writer = _Writer(tokenizer, dict(chat_template_kwargs or {}))
    dataset: list[Sample] = []
    skipped, cut, notes = list[int](), list[int](), dict[str, int]()
    turns: list[Turn]
    for i, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise TypeError(f"records must be dicts as read_records returns them, got {record!r} at index {i}")
        try:
            turns, response = split_turns(record)
            if system is not None and turns[0]["role"] != "system":
                turns = [{"role": "system", "content": system}, *turns]
            rows = {"": writer.make_tokens(turns, response)}
            if chosen:
                rows["chosen_"] = writer.make_tokens(turns, preferred_answer(record, i))
            item: Any = {"record": i}
            for prefix, (prompt, tokens) in rows.items():
                input_ids = (prompt + tokens)[:max_length]
                item[f"{prefix}input_ids"] = input_ids
                item[f"{prefix}labels"] = [IGNORE_INDEX] * len(prompt) + input_ids[len(prompt) :]
            if max_length is not None and any(len(prompt) >= max_length for prompt, _ in rows.values()):
                skipped.append(i)
                continue
            if any(len(prompt + tokens) > len(item[f"{prefix}labels"]) for prefix, (prompt, tokens) in rows.items()):
                cut.append(i)
            _add_references(item, record)
        except ValueError as error:
            raise ValueError(f"{where(records, i)}: {error}") from None
        dataset.append(item)
        for note in writer.notes - notes.keys():
            notes[note] = i
    for found, verb, reason in (
        (skipped, "skipped", f"the prompt leaves no room for a response in {max_length} tokens"),
        (cut, "cut", f"the response does not end within {max_length} tokens, and its end is missing"),
    ):
        if found:
            place = where(records, found[0])
            warnings.warn(f"{len(found)} of {len(records)} records {verb} (first: {place}): {reason}", stacklevel=2)
    for note, i in notes.items():
        warnings.warn(f"{note} (first: {where(records, i)})", stacklevel=2)
    if not dataset:
        raise ValueError(
            f"records must contain at least one that fits max_length={max_length}, got {len(records)} that do not"
            if records
            else "records must not be empty, got none"
        )
    return dataset


class _Writer:
    """Makes prompts and responses of turns, with the tokenizer's chat template if it has one."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", variables: dict[str, Any]) -> None:
        self.tokenizer: Any = tokenizer
        self.name = f"the chat template of {tokenizer.name_or_path or 'the tokenizer'}"
        # what happened to a record that its author should know
        self.notes = set[str]()
        self.variables = variables
        try:
            added = {token.content for token in tokenizer.added_tokens_decoder.values()}
        except NotImplementedError:
            # of mistral-common, which has its own way to write conversations
            raise TypeError(
                f"tokenizer must be one with a Jinja template or without any, got {type(tokenizer).__name__}: load it "
                "by transformers.PreTrainedTokenizerFast.from_pretrained, or uninstall mistral-common"
            ) from None
        if tokenizer.chat_template is None:
            if variables:
                raise ValueError("chat_template_kwargs must be left out for a tokenizer without a chat template")
            return
        template = tokenizer.get_chat_template()
        for name in variables:
            # a variable that the template does not use has no effect, and its author would not notice
            if name in ("messages", "add_generation_prompt") or not re.search(rf"\b{re.escape(name)}\b", template):
                raise ValueError(f"chat_template_kwargs must be variables of the chat template, got {name!r}")
        self.template, self.has_date = template, "strftime_now" in template
        added |= set(tokenizer.all_special_tokens)
        # what begins every text or turn does not end one
        if tokenizer.bos_token != tokenizer.eos_token:
            added.discard(tokenizer.bos_token)
        names = sorted(filter(str.strip, added), key=len, reverse=True)
        self.special = re.compile("|".join(map(re.escape, names)) or "(?!)")

    def make_tokens(self, turns: list[Turn], response: str) -> tuple[list[int], list[int]]:
        """The tokens of the turns, and those of the response."""
        if self.tokenizer.chat_template is not None:
            rendering = self.render(turns, response)
        elif len(turns) == 1:
            rendering = _Rendering(turns[0]["content"], response, False)
        else:
            raise ValueError("several turns, or a system turn, need a tokenizer with a chat template")
        prompt = self.encode(rendering.prompt)
        tokens = self.go_on(prompt, rendering)
        if self.tokenizer.chat_template is None:
            prompt = self.find_front(rendering.prompt, prompt) + prompt
        end = self.tokenizer.eos_token_id
        if not rendering.has_end and end is not None and tokens[-1:] != [end]:
            tokens = [*tokens, end]
        self.check(prompt, "prompt", [turn["content"] for turn in turns if turn["role"] != "assistant"])
        self.check(tokens, "response", [response])
        return prompt, tokens

    def check(self, tokens: list[int], name: str, texts: list[str]) -> None:
        """Raise a ValueError if the texts cannot be read from the tokens."""
        decoded = self.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        for text in texts:
            if _squash(text) not in _squash(decoded):
                raise ValueError(
                    f"the tokenizer cannot represent the {name} {text[:40]!r}, which it reads as {decoded[:80]!r}: "
                    "use the model's own tokenizer, or remove the characters that it does not know"
                )

    # Text to tokens

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def find_front(self, text: str, tokens: list[int]) -> list[int]:
        """What the tokenizer puts in front of a text; what it puts at the end is left out."""
        found = list(self.tokenizer(text)["input_ids"])
        fronts = range(len(found) - len(tokens) + 1)
        return next((found[:n] for n in fronts if found[n : n + len(tokens)] == tokens), [])

    def go_on(self, prompt: list[int], rendering: "_Rendering") -> list[int]:
        """Tokens of the response after those of the prompt, without the space that some tokenizers put in front."""
        whole = self.encode(rendering.prompt + rendering.response)
        if whole[: len(prompt)] == prompt:
            return whole[len(prompt) :]
        # a token would have reached across the border
        line, whole = self.encode("\n"), self.encode("\n" + rendering.response)
        return whole[len(line) :] if whole[: len(line)] == line else self.encode(rendering.response)

    # Turns to text

    def render(self, turns: list[Turn], response: str) -> "_Rendering":
        """Prompt and response as the template writes them."""
        parts = False
        try:
            head, tail = self.find_place(turns, parts)
        except ValueError as error:
            # some templates read texts as lists of parts only
            parts = True
            try:
                head, tail = self.find_place(turns, parts)
            except ValueError:
                raise error from None
        prompt = self.apply(turns, parts, asked=True)
        if self.has_date and prompt != self.apply(turns, parts, asked=True, today=True):
            self.notes.add(
                f"{self.name} writes today's date: {DATE:%d %B %Y} is used, so that tokens do not depend on the day; "
                "--chat-template-kwargs may set another"
            )
        whole = self.apply([*turns, _make_turn("assistant", response)], parts)
        for start in (head, prompt):
            written = whole[len(start) : len(whole) - len(tail)]
            if whole == start + written + tail and written.strip() == response.strip():
                break
        else:
            raise ValueError(
                f"{self.name} changes the response {response[:40]!r}: write it as the template does, or {ANOTHER}"
            )
        extra, opening = start.removeprefix(prompt), prompt.removeprefix(start)
        if start.startswith(prompt) and extra.isspace():
            # white space that only comes with a response is its beginning
            start, written = prompt, extra + written
        elif prompt.startswith(start) and opening.strip():
            self.notes.add(
                f"{self.name} opens an answer with {opening!r}, but writes a given answer without it: the model is "
                "trained on answers without it"
            )
        elif not start.startswith(prompt):
            # what a model reads when it is asked
            start = prompt
        end = self.find_end(turns, parts, tail)
        return _Rendering(start, written + (end or ""), end is not None)

    def find_place(self, turns: list[Turn], parts: bool) -> tuple[str, str]:
        """What the template writes before a response and after it, found by a mark in its place."""
        head, found, tail = self.apply([*turns, _make_turn("assistant", MARK)], parts).partition(MARK)
        for turn in turns:
            # earlier thoughts may be left out, and nothing else
            text = turn["content"]
            if turn["role"] == "assistant":
                text = text.rpartition("</think>")[2]
            if _squash(text) not in _squash(head):
                raise ValueError(f"{self.name} drops the {turn['role']} turn {turn['content'][:40]!r}: {ANOTHER}")
        if not found:
            raise ValueError(f"{self.name} drops the response: {ANOTHER}")
        return head, tail

    def find_end(self, turns: list[Turn], parts: bool, tail: str) -> str | None:
        """What comes after a response up to its first special token, which may be the beginning of the next turn."""
        end = self.special.search(tail)
        if end is None:
            # not every template allows another turn
            with suppress(ValueError):
                more = [_make_turn("assistant", MARK), _make_turn("user", MARK)]
                tail = self.apply([*turns, *more], parts).split(MARK)[1]
                end = self.special.search(tail)
        return tail[: end.end()] if end else None

    def apply(self, turns: list[Turn], parts: bool, *, asked: bool = False, today: bool = False) -> str:
        conversation: list[Any] = list(turns)
        if parts:
            conversation = [
                {"role": turn["role"], "content": [{"type": "text", "text": turn["content"]}]} for turn in turns
            ]
        try:
            return self.tokenizer.apply_chat_template(
                conversation,
                chat_template=FIXED_DATE + self.template if self.has_date and not today else self.template,
                tokenize=False,
                add_generation_prompt=asked,
                **self.variables,
            )
        except ImportError:
            raise
        except Exception as error:
            # a template is a program, and can fail in any way
            if type(error).__name__ == "TemplateSyntaxError":
                remedy = f"it is not valid Jinja, so {ANOTHER}"
            elif turns[0]["role"] == "system":
                remedy = 'it may not allow a system turn: leave out --system, or "system" in the record'
            else:
                remedy = "it may need a system turn (--system) or variables (--chat-template-kwargs)"
            reason = " ".join(str(error).split())
            raise ValueError(f"{self.name} fails ({type(error).__name__}: {reason}): {remedy}") from None


class _Rendering(NamedTuple):
    prompt: str
    response: str
    #: Whether the response has its end.
    has_end: bool


def _make_turn(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


def _squash(text: str) -> str:
    """A text without what a tokenizer may change: white space, case, and forms of characters."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def preferred_answer(record: Mapping[str, Any], i: int) -> str:
    """The answer that DPO prefers to the response of record number `i`: its "chosen", or else a refusal."""
    if "chosen" in record:
        return answer(record, "chosen")
    question = [turn["content"] for turn in split_turns(record)[0] if turn["role"] == "user"][-1]
    refusals = REFUSALS["zh" if any("\u4e00" <= character <= "\u9fff" for character in question) else "en"]
    return refusals[i % len(refusals)]


# References ----------------------------------------------------------------------------------------------------------


def hash_tokens(input_ids: Sequence[int], labels: Sequence[int]) -> str:
    """A hash of prompt and response, which a reference belongs to."""
    return hashlib.sha256(repr((list(input_ids), list(labels))).encode()).hexdigest()[:16]


def _add_references(item: Any, record: Mapping[str, Any]) -> None:
    """Copy the references that a record has for these very tokens."""
    if "ref_logp" not in record:
        return
    for name, prefix in (("ref", ""), ("chosen_ref", "chosen_")):
        if f"{name}_logp" not in record:
            continue
        item[f"{name}_logp"] = float(record[f"{name}_logp"])
        if f"{name}_hash" in record and f"{prefix}labels" in item:
            found = hash_tokens(item[f"{prefix}input_ids"], item[f"{prefix}labels"])
            if record[f"{name}_hash"] != found:
                raise ValueError(
                    f"{name}_logp was computed for other tokens, of another tokenizer, chat template or max_length: "
                    "compute it again with --write-references"
                )
    length = sum(label != IGNORE_INDEX for label in item["labels"])
    if record.get("ref_tokens", length) != length:
        raise ValueError(
            f"ref_logp was computed for {record['ref_tokens']} response tokens, got {length}: "
            "compute it again with --write-references"
        )


def with_references(
    records: Sequence[Mapping[str, Any]], dataset: Sequence[Sample], model: str | None = None
) -> list[dict[str, Any]]:
    """All records, and with those in the dataset their references and the answers and tokens these belong to.

    `model` is a hash of the model that gave the references.
    """
    found: list[dict[str, Any]] = [dict(record) for record in records]
    for item in dataset:
        record, labels = found[item["record"]], item["labels"]
        if "ref_logp" in item:
            n = sum(label != IGNORE_INDEX for label in labels)
            record |= {"ref_logp": item["ref_logp"], "ref_tokens": n}
            record |= {"ref_hash": hash_tokens(item["input_ids"], labels)}
            record |= {"ref_model": model} if model is not None else {}
        if "chosen_ref_logp" in item and "chosen_labels" in item:
            # written out, because a refusal depends on the record's number, which may differ in the new file
            record |= {"chosen": preferred_answer(record, item["record"]), "chosen_ref_logp": item["chosen_ref_logp"]}
            record |= {"chosen_ref_hash": hash_tokens(item["chosen_input_ids"], item["chosen_labels"])}
    return found


# Sizes ---------------------------------------------------------------------------------------------------------------


def check_sizes(
    dataset: Sequence[Sample], vocabulary: int | None, positions: int | None = None, *, records: Sequence[Any] = ()
) -> None:
    """Raise a ValueError if a model has fewer tokens or positions than the samples need.

    Parameters
    ----------
    dataset : list of Sample
    vocabulary : int or None
        Number of rows of the model's embedding.
    positions : int, optional
        Maximum number of tokens of a sequence.
    records : sequence of Record
        If they were read from a file, a message names file and line.
    """
    for i, item in enumerate(dataset):
        place = where(records, item.get("record", i))
        rows = [(item["input_ids"], item["labels"])]
        if "chosen_labels" in item:
            rows.append((item["chosen_input_ids"], item["chosen_labels"]))
        for tokens, labels in rows:
            # labels may be made by hand
            highest = max(tokens + labels, default=0)
            if vocabulary is not None and highest >= vocabulary:
                raise ValueError(
                    f"{place} has token {highest}, but the model has only {vocabulary}: use the "
                    "model's own tokenizer, or enlarge the model by resize_token_embeddings(len(tokenizer))"
                )
            if positions is not None and len(tokens) > positions:
                raise ValueError(
                    f"{place} has {len(tokens)} tokens, but the model has only {positions} positions: "
                    f"pass --max-length {positions} or less (in Python max_length)"
                )
