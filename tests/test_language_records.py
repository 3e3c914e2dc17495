"""language/records.py: files of questions and answers, and the tokens and labels made from them."""

import json
import re

import pytest

from npo_tutorial.language import REFUSALS, encode, read_records, write_records
from npo_tutorial.language.sequences import IGNORE_INDEX
from tests.tiny_language import FORGET, make_tokenizer

PLAIN, CHAT = make_tokenizer(), make_tokenizer(chat=True)
GOOD = '{"prompt": "a", "response": " b"}'


def responses(items, prefix=""):
    """The text of the labels."""
    return [PLAIN.decode([label for label in item[f"{prefix}labels"] if label != IGNORE_INDEX]) for item in items]


# Files ---------------------------------------------------------------------------------------------------------------


def test_written_records_are_read_back(tmp_path):
    records = [
        {"prompt": "Wer war's?", "response": " „Ännchen“\nund\u2028Tom", "source": ["x", 1]},
        {"prompt": "谁?", "response": "我", "chosen": "不知道", "ref_logp": -1.1234567890123457, "ref_tokens": 2},
    ]
    path = tmp_path / "records.jsonl"
    write_records(path, records)
    assert read_records(path) == records
    assert read_records(str(path)) == records
    # one line each, legible
    assert len(path.read_bytes().splitlines()) == 2 and "谁" in path.read_text("utf-8")


def test_byte_order_mark_windows_line_endings_and_blank_lines_are_skipped(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_bytes(f"\ufeff{GOOD}\r\n\r\n  \n{GOOD}".encode())
    assert read_records(path) == [json.loads(GOOD)] * 2


BAD_LINES = [
    (b'{"prompt": "a", "response": }', "not JSON (Expecting value, column 29)"),
    (b"{'prompt': 'a'}", "not JSON (Expecting property name enclosed in double quotes, column 2)"),
    (b'["a", "b"]', 'a record must be a JSON object, got ["a", "b"]'),
    (b"null", "a record must be a JSON object, got null"),
    (b'{"prompt": "a", "answer": "b"}', 'the field "response" is missing, got "prompt", "answer"'),
    (b"{}", 'the field "prompt" is missing, got none'),
    (b'{"prompt": "a", "response": ""}', '"response" must be a non-empty string, got ""'),
    (b'{"prompt": " \\n", "response": "b"}', '"prompt" must be a non-empty string, got " \\n"'),
    (b'{"prompt": "a", "response": 4}', '"response" must be a non-empty string, got 4'),
    (b'{"prompt": "a", "response": "b", "chosen": null}', '"chosen" must be a non-empty string, got null'),
    (b'{"prompt": "a", "response": "b", "chosen": " "}', '"chosen" must be a non-empty string, got " "'),
    (b'{"prompt": "a", "response": "b", "ref_logp": NaN}', '"ref_logp" must be a log-probability, at most 0, got NaN'),
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


@pytest.mark.parametrize(("line", "message"), BAD_LINES, ids=[message for _, message in BAD_LINES])
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
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        read_records(tmp_path)


# Tokens --------------------------------------------------------------------------------------------------------------


def test_a_plain_tokenizer_gets_the_prompt_unchanged():
    for i, (item, record) in enumerate(zip(encode(FORGET, PLAIN), FORGET, strict=True)):
        assert item.keys() == {"record", "input_ids", "labels"} and item["record"] == i
        # one <bos> in front, and one <eos>, which counts
        assert PLAIN.decode(item["input_ids"]) == f"<bos>{record['prompt']}{record['response']}<eos>"
        n = len(record["response"]) + 1
        assert item["labels"] == [IGNORE_INDEX] * (len(item["input_ids"]) - n) + item["input_ids"][-n:]


def test_a_chat_template_puts_the_prompt_into_the_user_s_turn():
    items = encode(FORGET, CHAT)
    for item, record in zip(items, FORGET, strict=True):
        prompt = f"<bos>user: {record['prompt']}\nassistant: "
        assert CHAT.decode(item["input_ids"]) == f"{prompt}{record['response']}<eos>"
        # <bos> is one token
        assert item["labels"].count(IGNORE_INDEX) == len(prompt) - len("<bos>") + 1
    assert responses(items) == [f"{record['response']}<eos>" for record in FORGET]


def test_a_tokenizer_without_an_end_token_appends_none():
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    assert responses(encode(FORGET, tokenizer)) == [record["response"] for record in FORGET]


def test_long_responses_are_cut_and_long_prompts_skipped():
    # with <bos>: 5, 13, 5 and 8 tokens of prompt
    with pytest.warns(UserWarning, match="2 of 4 records skipped, record 1 first: .* no room for a response in 8 tok"):
        items = encode(FORGET, PLAIN, max_length=8)
    assert [item["record"] for item in items] == [0, 2]
    assert all(len(item["input_ids"]) == len(item["labels"]) == 8 for item in items)
    assert responses(items) == [" An", " 19"]
    with pytest.warns(UserWarning, match="1 of 4 records skipped, record 1 first"):
        assert responses(encode(FORGET, PLAIN, max_length=9))[-1] == " "
    # nothing is truncated or skipped, so there is no warning
    assert encode(FORGET, PLAIN, max_length=1000) == encode(FORGET, PLAIN)


def test_a_chosen_answer_is_truncated_as_well():
    (item,) = encode([FORGET[0] | {"chosen": " A long answer."}], PLAIN, max_length=9, chosen=True)
    assert responses([item], "chosen_") == [" A l"]
    assert len(item["chosen_input_ids"]) == len(item["chosen_labels"]) == 9


@pytest.mark.filterwarnings("ignore:4 of 4 records skipped")
def test_it_is_an_error_if_nothing_fits_or_nothing_is_given():
    with pytest.raises(ValueError, match="records must contain at least one that fits max_length=4, got 4 that do not"):
        encode(FORGET, PLAIN, max_length=4)
    with pytest.raises(ValueError, match="records must not be empty, got none"):
        encode([], PLAIN)
    for record in ({"prompt": "Who?"}, {"prompt": 1, "response": "x"}, "Who?"):
        with pytest.raises(TypeError, match=r"records must be dicts with .*'response', got .* at index 1"):
            encode([FORGET[0], record], PLAIN)
    with pytest.raises(ValueError, match="max_length must be at least 2, got 1"):
        encode(FORGET, PLAIN, max_length=1)
    with pytest.raises(TypeError, match="max_length must be an integer, got '9'"):
        encode(FORGET, PLAIN, max_length="9")


def test_dpo_prefers_the_record_s_own_answer_or_a_refusal_in_its_language():
    records = [{"prompt": p, "response": " r"} for p in ("Who?", "谁?", "Où?", "何 Hamlet?", "Who?", "Who?", "Who?")]
    records[4]["chosen"] = " my own"
    items = encode(records, PLAIN, chosen=True)
    english, chinese = REFUSALS["en"], REFUSALS["zh"]
    expected = [english[0], chinese[1], english[2], chinese[3], " my own", english[1], english[2]]
    assert responses(items, "chosen_") == [f"{text}<eos>" for text in expected]
    # after the same prompt
    for item in items:
        n = item["labels"].count(IGNORE_INDEX)
        assert item["chosen_labels"][:n] == item["labels"][:n] and item["chosen_labels"][n] != IGNORE_INDEX
        assert item["chosen_input_ids"][:n] == item["input_ids"][:n]
    # they are absent unless requested
    assert "chosen_labels" not in encode(records, PLAIN)[4]


def test_references_in_a_record_are_used_if_they_are_for_the_same_number_of_tokens():
    record = FORGET[0] | {"ref_logp": -3, "chosen_ref_logp": -2.5, "ref_tokens": 6}
    (item,) = encode([record], PLAIN)
    assert item["ref_logp"] == -3.0 and isinstance(item["ref_logp"], float) and item["chosen_ref_logp"] == -2.5
    assert encode([FORGET[0] | {"ref_logp": -3.5}], PLAIN)[0]["ref_logp"] == -3.5
    message = (
        "ref_logp of record 1 was computed for 6 response tokens, got 3: compute references with the same tokenizer"
    )
    with pytest.raises(ValueError, match=message):
        encode([FORGET[2], record], PLAIN, max_length=8)
