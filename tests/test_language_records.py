"""language/records.py: files of questions and answers, read, checked and written."""

import csv
import errno
import gzip
import json
import os
import re
import stat
import sys

import pytest

from npo_tutorial.language import read_records, write_records
from npo_tutorial.language.records import split_turns, where
from tests.tiny_language import FORGET

GOOD = '{"prompt": "a", "response": " b"}'
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who?"},
    {"role": "assistant", "content": "Ann."},
]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# Reading -------------------------------------------------------------------------------------------------------------


def test_written_records_are_read_back(tmp_path):
    records = [
        {"prompt": "Wer war's?", "response": " „Ännchen“\nund\u2028Tom", "source": ["x", 1]},
        {"prompt": "谁?", "response": "我", "chosen": "不知道", "ref_logp": -1.1234567890123457, "ref_tokens": 2},
        {"messages": TURNS},
        {"prompt": TURNS[:2], "response": "Ann.", "ref_hash": "0123456789abcdef"},
    ]
    for name in ("records.jsonl", "records.json", "records"):
        path = tmp_path / name
        write_records(path, records)
        assert read_records(path) == records
        assert read_records(str(path)) == records
        # one line each, legible
        assert "谁" in path.read_text("utf-8")
        assert len(path.read_bytes().splitlines()) == (6 if name == "records.json" else 4)
    assert json.loads((tmp_path / "records.json").read_text("utf-8")) == records


def test_byte_order_mark_windows_line_endings_and_blank_lines_are_skipped(tmp_path):
    path = write(tmp_path / "records.jsonl", f"\ufeff{GOOD}\r\n\r\n  \n{GOOD}")
    assert read_records(path) == [json.loads(GOOD)] * 2


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read(tmp_path, indent):
    for name in ("a.json", "a.jsonl", "a"):
        path = write(tmp_path / name, f" \n{json.dumps(FORGET, indent=indent)}\n")
        assert read_records(path) == FORGET


def test_comma_separated_values_are_read(tmp_path):
    for name, delimiter in (("a.csv", ","), ("A.TSV", "\t")):
        path = tmp_path / name
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            rows = csv.writer(file, delimiter=delimiter)
            rows.writerows(
                [["id", "prompt", "response", "chosen"], ["1", 'a "b", c', " d\ne", ""], [], ["2", "谁", " f", "g"]]
            )
        assert read_records(path) == [
            {"id": "1", "prompt": 'a "b", c', "response": " d\ne"},
            {"id": "2", "prompt": "谁", "response": " f", "chosen": "g"},
        ]
        # the first row has two lines
        assert [where(read_records(path), i) for i in range(2)] == [f"{path}, line 2", f"{path}, line 5"]


def test_parquet_is_read(tmp_path, monkeypatch):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    records = [FORGET[0] | {"chosen": "No."}, {"messages": TURNS}]
    schema = pyarrow.Table.from_pylist([records[0] | records[1]]).schema
    for name in ("a.parquet", "a"):
        parquet.write_table(pyarrow.Table.from_pylist(records, schema), tmp_path / name)
        assert read_records(tmp_path / name) == records
    parquet.write_table(pyarrow.Table.from_pylist([FORGET[0], {"prompt": "x"}]), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=r'bad.parquet, row 2: the field "response" is missing, got "prompt"'):
        read_records(tmp_path / "bad.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(ValueError, match=r"half.parquet: not a readable Parquet file \("):
        read_records(write(tmp_path / "half.parquet", data[: len(data) // 2]))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"a.parquet is a Parquet file, which needs pyarrow: pip install pyarrow"):
        read_records(tmp_path / "a.parquet")


BAD_LINES = [
    (b'{"prompt": "a", "response": }', "not JSON (Expecting value, column 29)"),
    (b"{'prompt': 'a'}", "not JSON (Expecting property name enclosed in double quotes, column 2)"),
    (b'["a", "b"]', 'a record must be a JSON object, got ["a", "b"]'),
    (b"null", "a record must be a JSON object, got null"),
    (b'{"prompt": "a", "answer": "b"}', 'the field "response" is missing, got "prompt", "answer"'),
    (b"{}", 'the field "prompt" is missing, got none'),
    (b'{"messages": [], "note": 1}', '"messages" must be a list of turns, got []'),
    (b'{"messages": {"role": "user"}}', '"messages" must be a list of turns, got {"role": "user"}'),
    (b'{"messages": ["Who?"]}', 'a turn of "messages" must have "role" and "content", got "Who?"'),
    (b'{"messages": [{"role": "user"}]}', 'a turn of "messages" must have "role" and "content", got {"role": "user"}'),
    (
        b'{"messages": [{"role": "user", "content": "a"}]}',
        'the last turn of "messages" must be the assistant\'s, got "user"',
    ),
    (
        b'{"messages": [{"role": "assistant", "content": "a"}]}',
        "the turns before the response must have one of the user",
    ),
    (
        b'{"messages": [{"role": "assistant", "content": "a", "tool_calls": [{}]}]}',
        'a turn of "messages" must have its whole text in "content", got "tool_calls" as well',
    ),
    (b'{"messages": [{"role": "user", "content": ""}]}', '"messages" must be a non-empty string, got ""'),
    (
        b'{"messages": [{"role": "user", "content": [{"type": "image"}]}]}',
        'a turn of "messages" must have parts of type "text"',
    ),
    (
        b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}',
        '"messages" must be a non-empty string, got null',
    ),
    (
        b'{"messages": [{"role": "user", "content": "a"}], "response": "b"}',
        'a record must have "messages" or "response", got both',
    ),
    (
        b'{"prompt": [{"role": "user", "content": "a"}], "response": [1]}',
        'a turn of "response" must have "role" and "content", got 1',
    ),
    (
        b'{"prompt": "a", "response": [{"role": "user", "content": "b"}]}',
        '"response" must be a text or one turn of the assistant, got [{"role": "user", "content": "b"}]',
    ),
    (b'{"prompt": "a", "response": "b", "system": ""}', '"system" must be a non-empty string, got ""'),
    (
        b'{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "a"}, '
        b'{"role": "assistant", "content": "b"}], "system": "y"}',
        'a record must have "system" or a system turn, got both',
    ),
    (b'{"prompt": "a", "response": ""}', '"response" must be a non-empty string, got ""'),
    (b'{"prompt": " \\n", "response": "b"}', '"prompt" must be a non-empty string, got " \\n"'),
    (b'{"prompt": "a", "response": 4}', '"response" must be a non-empty string, got 4'),
    (b'{"prompt": "a", "response": "b", "chosen": null}', '"chosen" must be a non-empty string, got null'),
    (b'{"prompt": "a", "response": "b", "chosen": " "}', '"chosen" must be a non-empty string, got " "'),
    (b'{"prompt": "a", "response": "b", "ref_logp": NaN}', "not JSON (NaN is not a number of JSON)"),
    (b'{"prompt": "a", "response": "b", "note": [-Infinity]}', "not JSON (-Infinity is not a number of JSON)"),
    (b'{"prompt": "a", "response": "b", "note": 1e999}', "the record cannot be written as JSON (Out of range"),
    (b'{"prompt": "a", "response": "b", "note": 1%s}' % (b"0" * 5000), "Exceeds the limit"),
    (b'{"prompt": "a", "response": "b", "prompt": "c"}', 'the field "prompt" occurs twice'),
    (b'{"prompt": "a", "response": "b", "note": {"x": 1, "x": 1}}', 'the field "x" occurs twice'),
    (b'{"prompt": "a", "response": "b"} {}', "not JSON (Extra data, column 34)"),
    (b'{"prompt": "a\\u0000", "response": "b"}', '"prompt" must not contain a NUL character, got one at position 1'),
    (b'{"prompt": "a", "response": "b\0"}', "not JSON (Invalid control character at, column 31)"),
    (
        b'{"prompt": "a", "response": "b", "note": "\\ud83d"}',
        r'a record must not contain half a character, got "\ud83d": remove it',
    ),
    (
        b'{"prompt": "a\\udc00", "response": "b"}',
        r'"prompt" must not contain half a character, got "\udc00": remove it',
    ),
    (
        b'{"prompt": "a", "response": "b", "note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a record must have few lists and objects inside each other, got about a thousand: leave that field out",
    ),
    (
        b'{"prompt": "a", "response": "' + b"b" * 2**24 + b'"}',
        "a line must have at most 16777216 characters, got 16777247",
    ),
    (
        b'{"prompt": "a", "response": "b", "ref_logp": -1e999}',
        '"ref_logp" must be a log-probability, at most 0, got -I',
    ),
    (b'{"prompt": "a", "response": "b", "ref_logp": 0.5}', '"ref_logp" must be a log-probability, at most 0, got 0.5'),
    (b'{"prompt": "a", "response": "b", "ref_logp": -1%s}' % (b"0" * 400), '"ref_logp" must be a log-probability'),
    (
        b'{"prompt": "a", "response": "b", "ref_logp": "-3"}',
        '"ref_logp" must be a log-probability, at most 0, got "-3"',
    ),
    (b'{"prompt": "a", "response": "b", "ref_logp": false}', '"ref_logp" must be a log-probability'),
    (b'{"prompt": "a", "response": "b", "chosen_ref_logp": null}', '"chosen_ref_logp" must be a log-probability'),
    ('{"prompt": "ä", "response": "b"}'.encode("latin-1"), "not UTF-8 (invalid"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES, ids=[str(i) for i in range(len(BAD_LINES))])
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "records.jsonl"
    path.write_bytes(f"{GOOD}\n\n".encode() + line + f"\n{GOOD}\n".encode())
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}, line 3: {message}")):
        read_records(path)


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_a_file_without_records_is_rejected(tmp_path, text):
    path = tmp_path / "records.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}: the file contains no records")):
        read_records(path)


def test_a_file_that_cannot_be_read_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.jsonl"):
        read_records(tmp_path / "nothing.jsonl")
    with pytest.raises(OSError, match=re.escape(f"{tmp_path} must be a file, got a folder")):
        read_records(tmp_path)


LINES = f"{GOOD}\n{GOOD}\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        # encodings, and files that are packed
        ("a.jsonl", LINES.encode("utf-16"), ": not UTF-8 but UTF-16 or UTF-32: save the file as UTF-8"),
        ("a.jsonl", LINES.encode("utf-16-le"), ": not UTF-8 but UTF-16 or UTF-32"),
        ("a.jsonl", LINES.encode("utf-32"), ": not UTF-8 but UTF-16 or UTF-32"),
        ("a.csv", "prompt,response\n谁,我\n".encode("gbk"), ", line 2: not UTF-8 (invalid continuation byte)"),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0), ": the file is compressed (gzip): unpack it first"),
        ("a.jsonl", gzip.compress(LINES.encode(), mtime=0), ": the file is compressed (gzip): unpack it first"),
        ("a.xlsx", b"PK\x03\x04...", ": the file is compressed (zip): unpack it first"),
        # names that promise something else
        ("a.csv", LINES, ": the name ends in .csv, but the file is not CSV: rename it"),
        ("a.tsv", "[]", ": the name ends in .tsv, but the file is not CSV: rename it"),
        ("a.parquet", LINES, ": the name ends in .parquet, but the file is not Parquet: rename it"),
        ("a.jsonl", b"PAR1....PAR1", ": the name ends in .jsonl, but the file is not JSON: rename it"),
        ("a.jsonl", "prompt,response\na,b\n", ", line 1: not JSON (Expecting value, column 1): the file must have one"),
        # arrays
        ("a.json", "[]", ": the file contains no records"),
        ("a.json", f"[{GOOD},\n\n{{}}]", ', line 3: the field "prompt" is missing, got none'),
        ("a.json", f"[\n{GOOD},\n1]", ", line 3: a record must be a JSON object, got 1"),
        ("a.json", f"[{GOOD}\n\n{GOOD}]", ", line 3: not JSON (a comma or ] is missing)"),
        ("a.json", f"[{GOOD},\n{GOOD}", ", line 2: not JSON (a comma or ] is missing)"),
        ("a.json", f"[{GOOD},\n]", ", line 2: not JSON (Expecting value, column 1)"),
        ("a.json", f"[{GOOD}]\n{GOOD}", ", line 2: not JSON (more follows)"),
        ("a.json", '[\n{"prompt": "a",\n"response": }]', ", line 3: not JSON (Expecting value, column 13)"),
        ("a.json", '[\n{"prompt": "a",\n"prompt": "b"}]', ', line 2: the field "prompt" occurs twice'),
        ("a.json", "[" * 100_000, ", line 1: a record must have few lists and objects inside each other, got"),
        # an object of several lines
        ("a.json", '{\n"prompt": "a", "response": "b"}', ", line 1: not JSON (Expecting property name enclosed in"),
        # tables
        ("a.csv", "prompt,response\n", ": the file contains no records"),
        ("a.csv", "prompt,response\na,b\nc\n", ", line 3: a row must have 2 cells as the header has, got 1"),
        ("a.csv", "prompt,response\n\na,b,c\n", ", line 3: a row must have 2 cells as the header has, got 3"),
        ("a.csv", "prompt,prompt\na,b\n", ', line 1: the field "prompt" occurs twice'),
        ("a.csv", 'prompt,response\na,"b" c\n', ", line 2: not CSV ("),
        ("a.csv", 'prompt,response\na,"b\nc\n', ", line 3: not CSV (unexpected end of data)"),
        ("a.csv", "prompt,response\na," + "b" * 200_000 + "\n", ", line 2: not CSV (field larger than field limit"),
        ("a.csv", "prompt,response\na,\n", ', line 2: the field "response" is missing, got "prompt"'),
        ("a.csv", "prompt;response\na;b\n", ', line 2: the field "prompt" is missing, got "prompt;response"'),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_in_one_sentence(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")) as caught:
        read_records(path)
    assert "\n" not in str(caught.value)


# Names of fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "remedy", "options"),
    [
        (
            {"question": "Who?", "answer": "Ann."},
            ': the field "prompt" is missing, got "question", "answer": these are the names of TOFU and open-'
            "unlearning, so pass --prompt-field question --response-field answer (in Python "
            'prompt_field="question", response_field="answer")',
            {"prompt_field": "question", "response_field": "answer"},
        ),
        (
            {"prompt": "Who?", "completion": "Ann."},
            'of TRL, so pass --response-field completion (in Python response_field="completion")',
            {"response_field": "completion"},
        ),
        (
            {"prompt": "Who?", "chosen": "I don't know.", "rejected": "Ann."},
            'of TRL, so pass --response-field rejected (in Python response_field="rejected")',
            {"response_field": "rejected"},
        ),
        (
            {"prompt": [{"role": "user", "content": "Who?"}], "completion": [{"role": "assistant", "content": "Ann."}]},
            "of TRL, so pass --response-field completion (in",
            {"response_field": "completion"},
        ),
        (
            {"instruction": "Who?", "output": "Ann."},
            "of Alpaca, so pass --prompt-field instruction --response-field output (in",
            {"prompt_field": "instruction", "response_field": "output"},
        ),
        (
            {"question": "Who?", "output": "Ann."},
            "of TOFU and open-unlearning and Alpaca, so pass --prompt-field question --response-field output (in",
            {"prompt_field": "question", "response_field": "output"},
        ),
    ],
)  # fmt: skip
def test_names_of_other_data_sets_are_recognised_and_can_be_mapped(tmp_path, record, remedy, options):
    path = write(tmp_path / "a.jsonl", json.dumps(record))
    with pytest.raises(ValueError, match=re.escape(remedy)):
        read_records(path)
    (found,) = read_records(path, **options)
    assert split_turns(found) == ([{"role": "user", "content": "Who?"}], "Ann.")
    # nothing is lost, and what has been written can be read with the same options and without
    assert record.items() <= found.items()
    write_records(path, [found])
    assert read_records(path, **options) == read_records(path) == [found]


def test_forms_that_no_option_maps_are_explained(tmp_path):
    for record, message in (
        ({"text": "Once upon a time"}, 'got "text": a whole text has no prompt: split it into "prompt" and "response"'),
        ({"conversations": []}, 'got "conversations": rename it to "messages", and in each turn "from" to "role"'),
    ):
        with pytest.raises(ValueError, match=re.escape(f'line 1: the field "prompt" is missing, {message}')):
            read_records(write(tmp_path / "a.jsonl", json.dumps(record)))


def test_mapped_fields_must_exist_and_not_collide(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"prompt": "a", "response": "b", "answer": "c"}')
    with pytest.raises(ValueError, match='line 1: "answer" cannot be used as "response", because the record has both'):
        read_records(path, response_field="answer")
    with pytest.raises(ValueError, match='line 1: the field "idk" is missing, got "prompt", "response", "answer"'):
        read_records(path, chosen_field="idk")
    with pytest.raises(
        ValueError, match=r"^prompt_field must be a field of .*a\.jsonl, got 'qestion', but a record has \"p"
    ):
        read_records(path, prompt_field="qestion")
    with pytest.raises(ValueError, match="response_field must be a non-empty string, got ''"):
        read_records(path, response_field="")
    assert read_records(path, chosen_field="answer")[0]["chosen"] == "c"
    # a record with our own names needs no others
    write(path, f'{GOOD}\n{{"question": "c", "answer": "d"}}')
    found = read_records(path, prompt_field="question", response_field="answer")
    assert [split_turns(record)[1] for record in found] == [" b", "d"]


def test_a_conversation_is_split_before_its_last_turn():
    assert split_turns({"messages": TURNS}) == (TURNS[:2], "Ann.")
    parts = [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in TURNS]
    assert split_turns({"messages": parts}) == (TURNS[:2], "Ann.")
    assert split_turns({"prompt": "Who?", "system": "Be brief.", "response": "Ann."}) == (TURNS[:2], "Ann.")
    # the prompt of such a record is a copy
    assert split_turns({"prompt": "Who?", "messages": TURNS}) == (TURNS[:2], "Ann.")


# Writing -------------------------------------------------------------------------------------------------------------


def fill_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.jsonl", LINES)
    for bad, message in (
        ({"note": "\ud83d"}, r'record 1: a record must not contain half a character, got "\ud83d": remove it'),
        ({"note": {1, 2}}, "record 1: the record cannot be written as JSON (Object of type set"),
        ({"ref_logp": float("nan")}, "record 1: the record cannot be written as JSON (Out of range"),
    ):
        with pytest.raises(ValueError, match=re.escape(f"{path} cannot be written: {message}")):
            write_records(path, [FORGET[0], FORGET[1] | bad])

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    for name in ("os.fsync", "pathlib.Path.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(name, fill_disk)
            message = f"{path} cannot be written (No space left on device); the old file is unchanged"
            with pytest.raises(OSError, match="^" + re.escape(message)):
                write_records(path, FORGET)
            new = tmp_path / "new.jsonl"
            with pytest.raises(
                OSError, match=re.escape(f"{new} cannot be written (No space left on device); there is no")
            ):
                write_records(new, FORGET)
            patch.setattr(name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                write_records(path, FORGET)
    assert path.read_text("utf-8") == LINES and os.listdir(tmp_path) == ["a.jsonl"]


def test_nothing_is_in_place_before_it_is_on_the_disk(tmp_path, monkeypatch):
    path, done = write(tmp_path / "a.jsonl", LINES), []

    def sync(file):
        # all has been handed to the system, and the old file is still there
        assert os.fstat(file).st_size == sum(len(json.dumps(record)) + 1 for record in FORGET)
        assert path.read_text("utf-8") == LINES
        done.append(file)

    monkeypatch.setattr(os, "fsync", sync)
    write_records(path, FORGET)
    assert len(done) == 1 and read_records(path) == FORGET


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_permissions_and_symbolic_links_are_kept(tmp_path):
    path, link = write(tmp_path / "a.jsonl", LINES), tmp_path / "link.jsonl"
    path.chmod(0o640)
    link.symlink_to("a.jsonl")
    write_records(link, FORGET)
    assert link.is_symlink() and read_records(path) == FORGET and stat.S_IMODE(path.stat().st_mode) == 0o640
    # a new file has those that the user chose for new files
    before = os.umask(0o027)
    try:
        write_records(tmp_path / "new.jsonl", FORGET)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.jsonl").stat().st_mode) == 0o640
    # a link to a file that does not exist yet
    path.unlink()
    write_records(link, FORGET)
    assert link.is_symlink() and read_records(path) == FORGET


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    # as /dev/stdout may be one; never a real device, which a mistake would replace for the whole machine
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_records(pipe, FORGET)
        assert stat.S_ISFIFO(pipe.stat().st_mode) and os.listdir(tmp_path) == ["pipe"]
        assert [json.loads(line) for line in os.read(reader, 2**16).splitlines()] == FORGET
        write_records(pipe, FORGET, trial=True)
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


def test_a_trial_raises_what_writing_would_raise_and_leaves_everything(tmp_path, monkeypatch):
    path, new = write(tmp_path / "a.jsonl", LINES), tmp_path / "b.jsonl"
    for target in (path, new):
        write_records(target, FORGET, trial=True)
    assert path.read_text("utf-8") == LINES and os.listdir(tmp_path) == ["a.jsonl"]
    monkeypatch.setattr(os, "fsync", fill_disk)
    for target, state in ((path, "the old file is unchanged"), (new, "there is no such file now")):
        message = f"{target} cannot be written (No space left on device); {state}"
        with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
            write_records(target, FORGET, trial=True)
    assert path.read_text("utf-8") == LINES and os.listdir(tmp_path) == ["a.jsonl"]


def test_places_that_cannot_be_written_are_named(tmp_path, monkeypatch):
    with pytest.raises(OSError, match=re.escape(f"{tmp_path} cannot be written (it is a folder)")):
        write_records(tmp_path, FORGET)
    with pytest.raises(
        OSError, match=r"a\.jsonl cannot be written \(No such file or directory\); there is no such file now"
    ):
        write_records(tmp_path / "none" / "a.jsonl", FORGET)
    path = write(tmp_path / "a.jsonl", LINES)
    # root may write to everything
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        OSError, match=r"a\.jsonl cannot be written \(the file is read-only\); the old file is unchanged"
    ):
        write_records(path, FORGET)
    for name in ("a.csv", "a.PARQUET", "a.tsv"):
        with pytest.raises(
            ValueError, match=rf"{name} must have a name that ends in \.jsonl, because records are written"
        ):
            write_records(tmp_path / name, FORGET)
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_no_records_make_an_empty_file(tmp_path):
    write_records(tmp_path / "a.jsonl", [])
    assert (tmp_path / "a.jsonl").read_bytes() == b""
    write_records(tmp_path / "a.jsonl", iter(FORGET))
    assert read_records(tmp_path / "a.jsonl") == FORGET
