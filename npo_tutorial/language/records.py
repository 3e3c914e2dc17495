"""Files of questions and answers: reading them, checking them, and writing them (chapter "language-model")."""

import csv
import importlib
import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from sys import float_info
from typing import Any, NotRequired, TypedDict, cast

# a longer line is not one record, but probably a whole file without line breaks
LONGEST_LINE = 2**24
# what a name promises about a file's content
SUFFIXES = {".csv": "CSV", ".tsv": "CSV", ".parquet": "Parquet"} | dict.fromkeys((".json", ".jsonl", ".ndjson"), "JSON")
# other people's names of our fields: those of TOFU and open-unlearning, of TRL, and of Alpaca
OTHER_NAMES = {
    "prompt": {"question": "TOFU and open-unlearning", "instruction": "Alpaca"},
    "response": {"answer": "TOFU and open-unlearning", "completion": "TRL", "rejected": "TRL", "output": "Alpaca"},
}
# Python's limit depends on what called it
DEEP = "a record must have few lists and objects inside each other, got about a thousand: leave that field out"
# fields that no option can map
OTHER_FORMS = {
    "text": 'a whole text has no prompt: split it into "prompt" and "response"',
    "conversations": 'rename it to "messages", and in each turn "from" to "role" and "value" to "content"',
}


class Turn(TypedDict):
    """One turn of a conversation."""

    #: "system", "user" or "assistant".
    role: str
    #: The text; when read, a list of parts ``{"type": "text", "text": …}`` is accepted as well.
    content: str


class Record(TypedDict):
    """A question and its answer: one line of a JSON Lines file. Further fields are kept but ignored."""

    #: The question; or the turns of a conversation before the answer, as a list of `Turn`.
    prompt: NotRequired[Any]
    #: The answer to forget, or to retain.
    response: NotRequired[str]
    #: In place of both: all turns of a conversation. The last one, the assistant's, is the answer.
    messages: NotRequired[list[Turn]]
    #: The system turn before the question.
    system: NotRequired[str]
    #: The answer that DPO prefers.
    chosen: NotRequired[str]
    #: log π_ref of the answer, from `precompute_reference`.
    ref_logp: NotRequired[float]
    #: log π_ref of `chosen`.
    chosen_ref_logp: NotRequired[float]
    #: Number of response tokens for which `ref_logp` was computed.
    ref_tokens: NotRequired[int]
    #: Hash of the tokens for which `ref_logp` was computed.
    ref_hash: NotRequired[str]
    #: Hash of the model that gave the references.
    ref_model: NotRequired[str]
    #: Hash of the tokens for which `chosen_ref_logp` was computed.
    chosen_ref_hash: NotRequired[str]


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
    #: log π_ref of each token of the response.
    ref_token_logp: NotRequired[list[float]]


class FileRecords(list[Record]):
    """The records of a file, with the place of each in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.places = path, list[str]()
        #: The names of all fields in the file.
        self.fields = set[str]()


def where(records: Any, i: int) -> str:
    """Where record number `i` comes from: its file and line, if it was read from one."""
    if isinstance(records, FileRecords) and i < len(records.places):
        return f"{records.path}, {records.places[i]}"
    return f"record {i}"


# Reading -------------------------------------------------------------------------------------------------------------


def read_records(
    path: str | PathLike[str],
    *,
    prompt_field: str = "prompt",
    response_field: str = "response",
    chosen_field: str = "chosen",
) -> list[Record]:
    """Records of a file: one object per line (JSON Lines), with the texts "prompt" and "response".

    A JSON array, a CSV or TSV file with a header, and, where pyarrow is installed, a Parquet file are recognised, too.
    In place of "prompt" and "response" a record may have "messages", the turns of a conversation; "prompt" itself may
    be the list of turns before the response, and "system" the text of a system turn. "chosen" may hold the answer that
    DPO prefers; "ref_logp", "ref_tokens", "ref_hash" and "ref_model" hold the results of `precompute_reference`, and so
    do "chosen_ref_logp" and "chosen_ref_hash". Further fields are kept but ignored; blank lines are skipped.

    Parameters
    ----------
    path : str or path
    prompt_field, response_field, chosen_field : str
        The file's own names of the three fields: for TOFU "question" and "answer", for TRL's preference data "rejected"
        as `response_field`. Their values are copied to "prompt", "response" and "chosen", unless a record has these
        instead; at least one record must have the field.

    Returns
    -------
    list of Record

    Raises
    ------
    ValueError
        A bad line, named with file and line number; a file without records, or one that its name does not describe.
    OSError
        The file cannot be read.
    """
    names = {"prompt": prompt_field, "response": response_field, "chosen": chosen_field}
    for name, field in names.items():
        if not isinstance(field, str) or not field:
            raise ValueError(f"{name}_field must be a non-empty string, got {field!r}")
    records = read_file(path, names)
    check_fields(names, [records])
    return records


def read_file(path: str | PathLike[str], names: Mapping[str, str]) -> FileRecords:
    """The records of a file that has names of its own for fields: `names` has the ones for ours."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file, got a folder")
    records = FileRecords(path)
    for place, value in _read_values(path, path.read_bytes()):
        records.fields |= set(value if isinstance(value, dict) else ())
        try:
            records.append(check_record(_rename(value, names), names))
        except ValueError as error:
            raise ValueError(f"{path}, {place}: {error}") from None
        records.places.append(place)
    if not records:
        raise ValueError(f"{path}: the file contains no records")
    return records


def check_fields(names: Mapping[str, str], files: Sequence[FileRecords]) -> None:
    """Raise ValueError for a name that no record in any of the files has, and that would do nothing."""
    for name, field in names.items():
        if field != name and not any(field in records.fields for records in files):
            paths = " or ".join(str(records.path) for records in files)
            raise ValueError(
                f"{name}_field must be a field of {paths}, got {field!r}, but a record has {_show_names(files[0][0])}"
            )


def _read_values(path: Path, data: bytes) -> Iterator[tuple[str, Any]]:
    """The values in a file, each with its place."""
    suffix = path.suffix.lower()
    for start, what in ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz")):
        if data.startswith(start):
            raise ValueError(f"{path}: the file is compressed ({what}): unpack it first")
    first = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if data.startswith(b"PAR1"):
        kind = "Parquet"
    else:
        kind = "CSV" if suffix in (".csv", ".tsv") and first not in (b"{", b"[") else "JSON"
    if first and SUFFIXES.get(suffix, kind) != kind:
        raise ValueError(f"{path}: the name ends in {suffix}, but the file is not {SUFFIXES[suffix]}: rename it")
    if kind == "Parquet":
        return _read_parquet(path, data)
    text = _decode(path, data)
    if kind == "CSV":
        return _read_csv(path, text, "\t" if suffix == ".tsv" else ",")
    return _read_array(path, text) if first == b"[" else _read_lines(path, text)


def _decode(path: Path, data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise ValueError(f"{path}: not UTF-8 but UTF-16 or UTF-32: save the file as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not UTF-8 ({error.reason}): save the file as UTF-8") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'the field "{next(name for name in names if names.count(name) > 1)}" occurs twice')
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"not JSON ({name} is not a number of JSON)")


DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _parse(path: Path, line: int, decode: Callable[..., Any], *arguments: Any, first: int) -> Any:
    """A value of JSON that begins in `line`, of a text whose first line is line number `first` of the file."""
    try:
        return decode(*arguments)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {first + error.lineno - 1}: not JSON ({error.msg}, column {error.colno}): "
            "the file must have one JSON object per line, or be an array of them"
        ) from None
    except RecursionError:
        raise ValueError(f"{path}, line {line}: {DEEP}") from None
    except ValueError as error:
        raise ValueError(f"{path}, line {line}: {error}") from None


def _read_lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            raise ValueError(
                f"{path}, line {number}: a line must have at most {LONGEST_LINE} characters, got {len(line)}: "
                "write each record on a line of its own"
            )
        if line := line.strip():
            yield f"line {number}", _parse(path, number, DECODER.decode, line, first=number)


def _read_array(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    # one by one, so that a bad record is named with its line
    beginning = re.match(r"\s*\[\s*(\])?", text)
    assert beginning is not None
    at, line, counted, ended = beginning.end(), 1, 0, beginning[1]
    while not ended:
        line, counted = line + text.count("\n", counted, at), at
        value, at = _parse(path, line, DECODER.raw_decode, text, at, first=1)
        yield f"line {line}", value
        separator = re.compile(r"\s*(?:,|(\]))\s*").match(text, at)
        if separator is None:
            break
        at, ended = separator.end(), separator[1]
    if not ended or text[at:].strip():
        line += text.count("\n", counted, len(text) - len(text[at:].lstrip()))
        raise ValueError(f"{path}, line {line}: not JSON ({'more follows' if ended else 'a comma or ] is missing'})")


def _read_csv(path: Path, text: str, delimiter: str) -> Iterator[tuple[str, Any]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header, line = list[str](), 1
    try:
        for row in rows:
            # a quoted cell may have several lines
            number, line = line, rows.line_num + 1
            if not any(map(str.strip, row)):
                continue
            if not header:
                header = _unique([(name, name) for name in row]) and row
            elif len(row) != len(header):
                raise ValueError(f"a row must have {len(header)} cells as the header has, got {len(row)}")
            else:
                # an empty cell is a missing one
                yield f"line {number}", {name: cell for name, cell in zip(header, row, strict=True) if cell}
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: not CSV ({error})") from None
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from None


def _read_parquet(path: Path, data: bytes) -> Iterator[tuple[str, Any]]:
    try:
        pyarrow, parquet = map(importlib.import_module, ("pyarrow", "pyarrow.parquet"))
    except ImportError:
        raise ImportError(f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow") from None
    try:
        rows = parquet.read_table(pyarrow.BufferReader(data)).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", {name: value for name, value in row.items() if value is not None}


# Checks --------------------------------------------------------------------------------------------------------------


def _rename(record: Any, names: Mapping[str, str]) -> Any:
    """The record with its own fields copied to the names that this package uses."""
    if not isinstance(record, dict):
        return record
    for name, field in names.items():
        if field == name or (field not in record and name in record):
            continue
        if field not in record:
            raise ValueError(f'the field "{field}" is missing, got {_show_names(record)}')
        if name in record and record[name] != record[field]:
            raise ValueError(f'"{field}" cannot be used as "{name}", because the record has both: remove one of them')
        record[name] = record[field]
    return record


def check_record(record: Any, names: Mapping[str, str] | None = None) -> Record:
    """The record, if it has a question, an answer and nothing that cannot be used or written back."""
    if not isinstance(record, Mapping):
        raise ValueError(f"a record must be a JSON object, got {_show(record)}")
    split_turns(record)
    if "chosen" in record:
        answer(record, "chosen")
    for name in ("ref_logp", "chosen_ref_logp"):
        value = record.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -float_info.max <= value <= 0:
            raise ValueError(f'"{name}" must be a log-probability, at most 0, got {_show(value)}')
    to_line(record)
    return cast("Record", record)


def split_turns(record: Mapping[str, Any]) -> tuple[list[Turn], str]:
    """The turns before the response, and the response."""
    if "messages" in record:
        if "response" in record:
            raise ValueError('a record must have "messages" or "response", got both')
        turns = _check_turns("messages", record["messages"])
        last = turns.pop()
        if last["role"] != "assistant":
            raise ValueError(f'the last turn of "messages" must be the assistant\'s, got {_show(last["role"])}')
        response = last["content"]
    else:
        for name in ("prompt", "response"):
            if name not in record:
                raise ValueError(f'the field "{name}" is missing, got {_show_names(record)}{_find_remedy(record)}')
        prompt, response = record["prompt"], answer(record, "response")
        turns = _check_turns("prompt", prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}])
    if not any(turn["role"] == "user" for turn in turns):
        raise ValueError("the turns before the response must have one of the user, got none")
    if "system" in record:
        if turns[0]["role"] == "system":
            raise ValueError('a record must have "system" or a system turn, got both')
        turns.insert(0, {"role": "system", "content": _check_text("system", record["system"])})
    return turns, response


def answer(record: Mapping[str, Any], name: str) -> str:
    """An answer as a text; TRL writes it as a list of one turn as well."""
    value = record[name]
    if not isinstance(value, list):
        return _check_text(name, value)
    turns = _check_turns(name, value)
    if [turn["role"] for turn in turns] != ["assistant"]:
        raise ValueError(f'"{name}" must be a text or one turn of the assistant, got {_show(value)}')
    return turns[0]["content"]


def _check_turns(name: str, turns: Any) -> list[Turn]:
    if not isinstance(turns, list) or not turns:
        raise ValueError(f'"{name}" must be a list of turns, got {_show(turns)}')
    found = list[Turn]()
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str) or "content" not in turn:
            raise ValueError(f'a turn of "{name}" must have "role" and "content", got {_show(turn)}')
        for more in ("tool_calls", "reasoning_content", "reasoning", "thinking"):
            if turn.get(more):
                raise ValueError(f'a turn of "{name}" must have its whole text in "content", got "{more}" as well')
        content = turn["content"]
        if isinstance(content, list):
            if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
                raise ValueError(f'a turn of "{name}" must have parts of type "text" only, got {_show(content)}')
            content = "".join(_check_text(name, part.get("text")) for part in content)
        found.append({"role": turn["role"], "content": _check_text(name, content)})
    return found


def _check_text(name: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'"{name}" must be a non-empty string, got {_show(text)}')
    if surrogate := re.search("[\ud800-\udfff]", text):
        raise ValueError(f'"{name}" must not contain half a character, got {_show(surrogate[0])}: remove it')
    if "\0" in text:
        raise ValueError(f'"{name}" must not contain a NUL character, got one at position {text.index(chr(0))}')
    return text


def _show(value: Any) -> str:
    try:
        return json.dumps(value)[:40]
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def _show_names(record: Mapping[str, Any]) -> str:
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in list(record)[:10]) or "none"


def _find_remedy(record: Mapping[str, Any]) -> str:
    """The options that map the fields of a well-known kind of data."""
    fields, sources = dict[str, str](), dict[str, None]()
    for name, others in OTHER_NAMES.items():
        if name not in record and (field := next((other for other in others if other in record), None)):
            fields[name] = field
            sources[others[field]] = None
    if fields:
        options = " ".join(f"--{name}-field {field}" for name, field in fields.items())
        arguments = ", ".join(f'{name}_field="{field}"' for name, field in fields.items())
        return f": these are the names of {' and '.join(sources)}, so pass {options} (in Python {arguments})"
    return next((f": {remedy}" for field, remedy in OTHER_FORMS.items() if field in record), "")


# Writing -------------------------------------------------------------------------------------------------------------


def to_line(record: Mapping[str, Any]) -> str:
    """A record as one line of JSON, which `read_records` reads."""
    try:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False)
        line.encode()
    except UnicodeEncodeError as error:
        character = _show(error.object[error.start])
        raise ValueError(f"a record must not contain half a character, got {character}: remove it") from None
    except RecursionError:
        raise ValueError(DEEP) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"the record cannot be written as JSON ({error})") from None
    return line


def write_records(path: str | PathLike[str], records: Iterable[Mapping[str, Any]], *, trial: bool = False) -> None:
    """Write records as JSON Lines, one per line, in the form that `read_records` reads; to ``.json`` as a JSON array.

    The file is replaced after all has been written: if anything fails, the old file stays as it was. Its permissions
    are kept; if `path` is a symbolic link, the file that it names is replaced.

    Parameters
    ----------
    path : str or path
    records : iterable of Record
    trial : bool
        Do all but the last: raise what writing would raise, and leave everything as it is.

    Raises
    ------
    ValueError
        A record that cannot be written, or a name that promises another format.
    OSError
        The file cannot be written.
    """
    path = Path(path)
    if SUFFIXES.get(path.suffix.lower(), "JSON") != "JSON":
        raise ValueError(f"{path} must have a name that ends in .jsonl, because records are written as JSON Lines")
    lines = list[str]()
    for i, record in enumerate(records):
        try:
            lines.append(to_line(record))
        except ValueError as error:
            raise ValueError(f"{path} cannot be written: record {i}: {error}") from None
    before, between, after = ("[\n", ",\n", "\n]\n") if path.suffix.lower() == ".json" else ("", "\n", "\n")
    replace_file(path, (before + between.join(lines) + after).encode() if lines else b"", trial=trial)


def replace_file(path: Path, data: bytes, *, trial: bool = False) -> None:
    """Write a whole file, or leave what was there: to a new file next to it, to the disk, then in its place."""
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            # a pipe, or the terminal
            if not trial:
                target.write_bytes(data)
            return
        if target.is_dir() or (target.exists() and not os.access(target, os.W_OK)):
            raise PermissionError(None, "it is a folder" if target.is_dir() else "the file is read-only")
        try:
            with new.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, new)
                with suppress(OSError, AttributeError):
                    os.chown(new, target.stat().st_uid, target.stat().st_gid)
            if not trial:
                new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        state = "the old file is unchanged" if target.is_file() else "there is no such file now"
        raise type(error)(f"{path} cannot be written ({error.strerror}); {state}") from None
