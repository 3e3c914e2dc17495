"""language/encoding.py: chat templates, tokens and labels, references, sizes."""

import copy
import hashlib
import re
import warnings
from pathlib import Path

import pytest
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from npo_tutorial.language import REFUSALS, encode, read_records, write_records
from npo_tutorial.language.encoding import check_sizes, hash_tokens, with_references
from npo_tutorial.language.sequences import IGNORE_INDEX
from tests.tiny_language import FORGET, make_tokenizer

PLAIN, CHAT = make_tokenizer(), make_tokenizer(chat=True)
ANN = [{"prompt": "Who?", "response": "Ann."}]
CONVERSATION = [
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Who?"},
    {"role": "assistant", "content": "Ann."},
]


def make_special_tokenizer(template, specials=(), *, bos="<bos>", eos="<eos>", post="", plain=()):
    """Every byte is a token, and so is each special one."""
    names = list(dict.fromkeys([*filter(None, (bos, eos)), "<pad>", *specials]))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(names + letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    if post:
        tokens = [(token, names.index(token)) for token in post.split() if token in names]
        tokenizer.post_processor = processors.TemplateProcessing(single=post, special_tokens=tokens)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{name: token for name, token in (("bos_token", bos), ("eos_token", eos)) if token},
        pad_token="<pad>",
        extra_special_tokens=[token for token in specials if token not in (bos, eos)],
    )
    # words that are one token, but not special ones
    fast.add_tokens([AddedToken(word, special=False) for word in plain])
    fast.chat_template = template
    return fast


def make_sentencepiece_tokenizer(template=None, merges=()):
    """As Llama 2's: a space is a letter, and one is put in front of every text."""
    letters = ["<s>", "</s>", "▁", "\n", *map(chr, range(33, 127)), *map("".join, merges)]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(letters)}, list(merges)))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = template
    return fast


class SlowTokenizer(transformers.PreTrainedTokenizer):
    """Written in Python, without any special token: a letter's number is its code."""

    vocab_size = 256

    def get_vocab(self):
        return {chr(i): i for i in range(256)}

    def _tokenize(self, text, **options):
        return list(text)

    def _convert_token_to_id(self, token):
        return ord(token)

    def _convert_id_to_token(self, index):
        return chr(index)

    def convert_tokens_to_string(self, tokens):
        return "".join(tokens)


def texts(item, tokenizer, prefix=""):
    """Prompt and response of a sample, as text."""
    ids, labels = item[f"{prefix}input_ids"], item[f"{prefix}labels"]
    n = labels.count(IGNORE_INDEX)
    # the prompt comes first, and the labels are the tokens themselves
    assert labels == [IGNORE_INDEX] * n + ids[n:]
    return tokenizer.decode(ids[:n]), tokenizer.decode(ids[n:])


def responses(items, prefix=""):
    return [texts(item, PLAIN, prefix)[1] for item in items]


def encode_one(tokenizer, record=ANN[0], **options):
    (item,) = encode([record], tokenizer, **options)
    return texts(item, tokenizer)


# Without a template --------------------------------------------------------------------------------------------------


def test_a_plain_tokenizer_gets_the_prompt_unchanged():
    for i, (item, record) in enumerate(zip(encode(FORGET, PLAIN), FORGET, strict=True)):
        assert item.keys() == {"record", "input_ids", "labels"} and item["record"] == i
        # one <bos> in front, and one <eos>, which counts
        assert texts(item, PLAIN) == (f"<bos>{record['prompt']}", f"{record['response']}<eos>")
        assert len(item["input_ids"]) == len(record["prompt"] + record["response"]) + 2


def test_a_tokenizer_without_an_end_token_appends_none():
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    assert responses(encode(FORGET, tokenizer)) == [record["response"] for record in FORGET]


@pytest.mark.parametrize("post", ["<bos> $A <eos>", "$A <eos>"])
def test_a_tokenizer_that_appends_an_end_does_so_once(post):
    bos = "<bos>" if post.startswith("<bos>") else ""
    assert encode_one(make_special_tokenizer(None, post=post)) == (f"{bos}Who?", "Ann.<eos>")


def test_a_response_that_has_its_end_gets_no_second_one():
    assert encode_one(PLAIN, {"prompt": "Who?", "response": " Ann.<eos>"}) == ("<bos>Who?", " Ann.<eos>")


def test_one_token_that_begins_and_ends_texts_is_allowed():
    tokenizer = make_special_tokenizer(None, bos="<|end|>", eos="<|end|>")
    assert encode_one(tokenizer) == ("Who?", "Ann.<|end|>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }} <|end|>{% endfor %}"
    assert encode_one(tokenizer) == ("user: Who? <|end|>assistant: ", "Ann. <|end|>")


def test_no_space_is_put_in_front_of_a_response():
    tokenizer = make_sentencepiece_tokenizer()
    (item,) = encode([{"prompt": "Who?", "response": " Ann."}], tokenizer)
    assert tokenizer.convert_ids_to_tokens(item["input_ids"]) == ["<s>", *"▁Who?▁Ann.", "</s>"]
    # nor within a word
    (item,) = encode([{"prompt": "Who?", "response": "Ann."}], tokenizer)
    assert tokenizer.convert_ids_to_tokens(item["input_ids"]) == ["<s>", *"▁Who?Ann.", "</s>"]
    # nor where a template ends the prompt
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    (item,) = encode(ANN, make_sentencepiece_tokenizer(template))
    assert tokenizer.convert_ids_to_tokens(item["input_ids"]) == [*"▁[user]▁Who?[assistant]▁Ann.", "</s>"]


def test_no_token_reaches_across_the_border():
    # "?A" is a token, which the model would not see when it is asked
    letters = ["<eos>", *map(chr, range(32, 127)), "?A"]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(letters)}, [("?", "A")]))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")
    (item,) = encode(ANN, fast)
    assert fast.convert_ids_to_tokens(item["input_ids"]) == [*"Who?Ann.", "<eos>"]
    assert item["labels"].count(IGNORE_INDEX) == 4
    # and no space gets between them
    tokenizer = make_sentencepiece_tokenizer(merges=[("?", "A")])
    (item,) = encode(ANN, tokenizer)
    assert tokenizer.convert_ids_to_tokens(item["input_ids"]) == ["<s>", *"▁Who?Ann.", "</s>"]


def test_a_slow_tokenizer_without_special_tokens_will_do():
    tokenizer = SlowTokenizer()
    assert encode_one(tokenizer) == ("Who?", "Ann.")
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    assert encode_one(tokenizer) == ("<user>Who?<assistant>", "Ann.")


def test_what_a_tokenizer_does_not_know_is_rejected():
    words = Tokenizer(models.WordLevel({"<unk>": 0, "Who": 1, "?": 2, "Ann": 3, ".": 4}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    assert encode_one(tokenizer) == ("Who ?", "Ann .")
    message = (
        r"record 1: the tokenizer cannot represent the response 'Bob\.', which it reads as '<unk>.*: use the model"
    )
    with pytest.raises(ValueError, match=message):
        encode([*ANN, {"prompt": "Who?", "response": "Bob."}], tokenizer)
    with pytest.raises(ValueError, match=r"record 0: the tokenizer cannot represent the prompt '谁\?'"):
        encode([{"prompt": "谁?", "response": "Ann."}], tokenizer)


def test_a_tokenizer_may_change_case_and_space():
    words = Tokenizer(models.WordLevel({"who": 1, "?": 2, "ann": 3, ".": 4, "<unk>": 0}, unk_token="<unk>"))
    words.normalizer, words.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    assert encode_one(transformers.PreTrainedTokenizerFast(tokenizer_object=words)) == ("who ?", "ann .")


# With the templates of eight families --------------------------------------------------------------------------------

# special tokens, and what the families' documentation says that the model reads and writes
FAMILIES = {
    "deepseek_r1_distill": (
        {
            "bos": "<｜begin▁of▁sentence｜>",
            "eos": "<｜end▁of▁sentence｜>",
            "specials": ("<｜User｜>", "<｜Assistant｜>"),
        },
        "<｜begin▁of▁sentence｜><｜User｜>Who?<｜Assistant｜>",
        "Ann.<｜end▁of▁sentence｜>",
    ),
    "gemma2": (
        {"specials": ("<start_of_turn>", "<end_of_turn>")},
        "<bos><start_of_turn>user\nWho?<end_of_turn>\n<start_of_turn>model\n",
        "Ann.<end_of_turn>",
    ),
    "gemma3": (
        {"specials": ("<start_of_turn>", "<end_of_turn>"), "plain": ("\n\n",)},
        "<bos><start_of_turn>user\nWho?<end_of_turn>\n<start_of_turn>model\n",
        "Ann.<end_of_turn>",
    ),
    "glm4_5": (
        {"bos": None, "eos": "<|endoftext|>", "specials": ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>")},
        "[gMASK]<sop><|user|>\nWho?<|assistant|>\n<think></think>\n",
        "Ann.<|user|>",
    ),
    "llama3": (
        {
            "bos": "<|begin_of_text|>",
            "eos": "<|end_of_text|>",
            "specials": ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        },
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "Ann.<|eot_id|>",
    ),
    "llama3_2": (
        {
            "bos": "<|begin_of_text|>",
            "eos": "<|end_of_text|>",
            "specials": ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
            # a tokenizer that puts <bos> in front by itself, like the template
            "post": "<|begin_of_text|> $A",
        },
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "Ann.<|eot_id|>",
    ),
    "llava_next": ({"bos": "<s>", "eos": "</s>"}, "[INST] Who? [/INST]", " Ann.</s>"),
    "phi3": (
        {"bos": "<s>", "eos": "<|endoftext|>", "specials": ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")},
        "<|user|>\nWho?<|end|>\n<|assistant|>\n",
        "Ann.<|end|>",
    ),
    "qwen2_5": (
        {"bos": None, "eos": "<|endoftext|>", "specials": ("<|im_start|>", "<|im_end|>")},
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
        "Ann.<|im_end|>",
    ),
    "qwen3": (
        {
            "bos": None,
            "eos": "<|endoftext|>",
            "specials": ("<|im_start|>", "<|im_end|>"),
            "plain": ("<think>", "</think>"),
        },
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "Ann.<|im_end|>",
    ),
    "smollm2": (
        {"bos": "<|im_start|>", "eos": "<|im_end|>"},
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
        "Ann.<|im_end|>",
    ),
    "smolvlm": (
        {"bos": "<|im_start|>", "eos": "<|im_end|>", "specials": ("<end_of_utterance>",)},
        "<|im_start|>User: Who?<end_of_utterance>\nAssistant:",
        " Ann.<end_of_utterance>",
    ),
}
# said once for all records
NOTES = {
    "deepseek_r1_distill": r"opens an answer with '<think>\n', but writes a given answer without it",
    "llama3_2": "writes today's date: 26 July 2024 is used",
}


def make_family(name):
    template = Path(__file__).with_name("chat_templates").joinpath(f"{name}.jinja").read_text("utf-8")
    return make_special_tokenizer(template, **FAMILIES[name][0])


@pytest.mark.parametrize("name", FAMILIES)
def test_prompt_and_response_are_those_of_the_family(name):
    tokenizer, (_, prompt, response) = make_family(name), FAMILIES[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        items = encode(ANN * 2, tokenizer, chosen=True)
    assert len(caught) == (name in NOTES) and all(NOTES[name] in str(warning.message) for warning in caught)
    for item, refusal in zip(items, REFUSALS["en"], strict=False):
        assert texts(item, tokenizer) == (prompt, response)
        assert texts(item, tokenizer, "chosen_") == (prompt, response.replace("Ann.", refusal))
        # special tokens are one token each, and none is added
        assert item["input_ids"] == tokenizer(prompt + response, add_special_tokens=False)["input_ids"]


def test_every_template_is_tested_and_described():
    folder = Path(__file__).with_name("chat_templates")
    assert sorted(path.stem for path in folder.glob("*.jinja")) == sorted(FAMILIES)
    assert re.findall(r"^\| `(\w+)\.jinja`", folder.joinpath("README.md").read_text("utf-8"), re.M) == sorted(FAMILIES)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (
            "gemma3",
            "<bos><start_of_turn>user\nBe brief.\n\nHi.<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>",
        ),
        (
            "qwen3",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nHel",
        ),
        ("phi3", "<|system|>\nBe brief.<|end|>\n<|user|>\nHi.<|end|>\n<|assistant|>\nHello!<|end|>\n<|user|>\nWho?<|e"),
    ],
)
def test_a_conversation_is_the_context_of_its_last_turn(name, prompt):
    tokenizer = make_family(name)
    by_record = encode([{"messages": CONVERSATION, "system": "Be brief."}], tokenizer)
    found, response = texts(by_record[0], tokenizer)
    assert found.startswith(prompt) and response == FAMILIES[name][2]
    # the same with the system turn from the argument, or in the list; and as TRL writes a prompt
    assert encode([{"messages": CONVERSATION}], tokenizer, system="Be brief.") == by_record
    turns = [{"role": "system", "content": "Be brief."}, *CONVERSATION]
    assert encode([{"messages": turns}], tokenizer, system="Be long.") == by_record
    trl = {"prompt": turns[:-1], "response": turns[-1:]}
    assert encode([trl], tokenizer) == by_record


def test_variables_reach_the_template():
    tokenizer = make_family("qwen3")
    thinking, quiet = encode_one(tokenizer), encode_one(tokenizer, chat_template_kwargs={"enable_thinking": False})
    assert thinking == quiet
    tokenizer = make_family("llama3_2")
    prompt, _ = encode_one(tokenizer, chat_template_kwargs={"date_string": "1 Jan 2030"})
    assert "Today Date: 1 Jan 2030\n" in prompt


@pytest.mark.parametrize("name", ["enable_thinkng", "messages", "add_generation_prompt", "enable"])
def test_a_variable_that_the_template_does_not_have_is_rejected(name):
    with pytest.raises(ValueError, match=f"chat_template_kwargs must be variables of the chat template, got '{name}'"):
        encode(ANN, make_family("qwen3"), chat_template_kwargs={name: False})


def test_thoughts_in_a_response_are_kept():
    response = "<think>\nWho else?\n</think>\n\nAnn."
    prompt, found = encode_one(make_family("qwen3"), {"prompt": "Who?", "response": response})
    assert prompt.endswith("<|im_start|>assistant\n") and found == f"{response}<|im_end|>"
    # those of earlier turns are dropped, as when the model is asked
    turns = [CONVERSATION[0], {"role": "assistant", "content": "<think>Who is it?</think>Hello!"}, *CONVERSATION[2:]]
    prompt, _ = encode_one(make_family("qwen3"), {"messages": turns})
    assert "assistant\nHello!<|im_end|>" in prompt and "Who is it?" not in prompt
    # DeepSeek's template drops all
    with pytest.raises(ValueError, match="record 0: the chat template of the tokenizer changes the response '<th"):
        encode([{"prompt": "Who?", "response": response}], make_family("deepseek_r1_distill"))


# With other templates ------------------------------------------------------------------------------------------------

EACH = "{% for m in messages %}"


@pytest.mark.parametrize(
    ("template", "prompt", "response"),
    [
        # no generation prompt
        (EACH + "### {{ m.role }}:\n{{ m.content }}\n{% endfor %}", "### user:\nWho?\n### assistant:\n", "Ann.<eos>"),
        # parts, by index and in a loop
        (EACH + "{{ m.role }}: {{ m['content'][0]['text'] }}\n{% endfor %}", "user: Who?\nassistant: ", "Ann.<eos>"),
        (
            EACH + "{{ m.role }}:{% for c in m.content if c.type == 'text' %}{{ c.text }}{% endfor %};{% endfor %}",
            "user:Who?;assistant:",
            "Ann.<eos>",
        ),
        # a generation prompt that no given answer has
        (
            EACH + "{{ m.role }}: {{ m.content }}<eot>{% endfor %}{% if add_generation_prompt %}model: {% endif %}",
            "user: Who?<eot>model: ",
            "Ann.<eot>",
        ),
        # the end of a turn has a space and a line in front, and <bos> begins each turn
        (
            EACH + "<bos>{{ m.role }}|{{ m.content }} \n<eos>{% endfor %}",
            "<bos>user|Who? \n<eos><bos>assistant|",
            "Ann. \n<eos>",
        ),
        # a turn ends when the next begins
        (EACH + "{{ '<sot>' if m.role == 'user' else '|' }}{{ m.content }}{% endfor %}", "<sot>Who?|", "Ann.<sot>"),
        # the end of the last turn is another one than that of the others
        (EACH + "{{ m.content }}{{ '<eot>' if loop.last else '<sot>' }}{% endfor %}", "Who?<eot>", "Ann.<eot>"),
        # two lines, which are one token, do not end a response
        (EACH + "{{ m.role }}|{{ m.content }}\n\n<eot>{% endfor %}", "user|Who?\n\n<eot>assistant|", "Ann.\n\n<eot>"),
        # <bos> ends nothing
        (EACH + "<bos>{{ m.role }}|{{ m.content }}{% endfor %}", "<bos>user|Who?<bos>assistant|", "Ann.<eos>"),
        # one question only
        (
            "{% if messages|length > 2 %}{{ raise_exception('one question, please') }}{% endif %}"
            + EACH + "{{ m.role }}|{{ m.content }}{% endfor %}",
            "user|Who?assistant|",
            "Ann.<eos>",
        ),
        # an opened block of thoughts is white space only if it is
        (
            EACH + "{{ m.role }}|{{ m.content }}<eot>{% endfor %}{% if add_generation_prompt %}assistant| {% endif %}",
            "user|Who?<eot>assistant| ",
            "Ann.<eot>",
        ),
    ],
)  # fmt: skip
def test_prompt_and_response_are_what_the_template_writes(template, prompt, response):
    tokenizer = make_special_tokenizer(template, ("<sot>", "<eot>"), post="<bos> $A <eos>", plain=("\n\n",))
    assert encode_one(tokenizer) == (prompt, response)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "drops the user turn 'Who?': put another chat_template.jinja into the model's folder"),
        (EACH + "{% if m.role == 'assistant' %}{{ m.content }}{% endif %}{% endfor %}", "drops the user turn"),
        (EACH + "{{ m.content if m.role == 'user' }}{% endfor %}", "drops the response: put another"),
        (EACH + "{{ m.content if m.role == 'user' else 'No!' }}{% endfor %}", "drops the response"),
        (EACH + "{{ m.content if m.role == 'user' else m.content|upper }}{% endfor %}", "changes the response 'Ann.'"),
        # where the prompt depends on the response, it cannot be told apart from it
        ("{{ messages[-1].content|length }}" + EACH + "|{{ m.content }}{% endfor %}", "changes the response 'Ann.'"),
        (EACH + "{{ m.content[:6] }}{% endfor %}", "changes the response 'A long answer"),
        # although it would write any list
        (
            EACH + "{{ m.content[:6] if m.content is string else m.content|tojson }}{% endfor %}",
            "changes the response 'A long answer",
        ),
        (EACH + "{{ m.content ", "fails (TemplateSyntaxError: unexpected end of template"),
        (EACH + "{{ m.content + 1 }}{% endfor %}", "fails (TypeError: can only concatenate str"),
        ("{{ raise_exception('need a\nsystem turn') }}", "fails (TemplateError: need a system turn): it may need a s"),
        ("{{ 1 / 0 }}", "fails (ZeroDivisionError: division by zero)"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_used_is_named(template, message):
    tokenizer = make_special_tokenizer(template)
    tokenizer.name_or_path = "my/model"
    records = [{"prompt": "Who?", "response": "A long answer." if "long" in message else "Ann."}]
    with pytest.raises(ValueError, match="^" + re.escape(f"record 0: the chat template of my/model {message}")):
        encode(records, tokenizer)


def test_a_template_that_drops_an_earlier_answer_is_named_and_one_that_drops_its_thoughts_is_not():
    turns = [("user", "Who?"), ("assistant", "<think>Hm.</think>Ann."), ("user", "And?"), ("assistant", "Bob.")]
    records = [{"messages": [{"role": role, "content": content} for role, content in turns]}]
    users = EACH + "{% if m.role == 'user' or loop.last %}{{ m.content }}|{% endif %}{% endfor %}"
    with pytest.raises(ValueError, match=r"drops the assistant turn '<think>Hm\.</think>Ann\.': put"):
        encode(records, make_special_tokenizer(users))
    tokenizer = make_special_tokenizer(EACH + "{{ m.content.split('</think>')[-1] }}|{% endfor %}")
    (item,) = encode(records, tokenizer)
    assert tokenizer.decode(item["input_ids"]).startswith("Who?|Ann.|And?|Bob.")


def test_a_template_may_need_a_system_turn_or_none():
    template = (
        "{% if messages[0].role != 'system' %}{{ raise_exception('need a system message') }}{% endif %}"
        + EACH
        + "{{ m.role }}: {{ m.content }}\n{% endfor %}"
    )
    tokenizer = make_special_tokenizer(template)
    assert encode_one(tokenizer, system="Be brief.") == ("system: Be brief.\nuser: Who?\nassistant: ", "Ann.<eos>")
    with pytest.raises(
        ValueError, match=r"System role not supported\): it may not allow a system turn: leave out --sys"
    ):
        encode(ANN, make_family("gemma2"), system="Be brief.")
    drops = make_special_tokenizer("{% for m in messages if m.role != 'system' %}{{ m.content }}|{% endfor %}")
    with pytest.raises(ValueError, match="drops the system turn 'Be brief"):
        encode(ANN, drops, system="Be brief.")


def test_what_only_a_template_can_write_needs_one():
    for record, options in (
        ({"messages": CONVERSATION}, {}),
        (ANN[0] | {"system": "Be brief."}, {}),
        (ANN[0], {"system": "Be brief."}),
    ):
        with pytest.raises(
            ValueError, match="record 0: several turns, or a system turn, need a tokenizer with a chat t"
        ):
            encode([record], PLAIN, **options)
    with pytest.raises(
        ValueError, match="chat_template_kwargs must be left out for a tokenizer without a chat template"
    ):
        encode(ANN, PLAIN, chat_template_kwargs={"enable_thinking": False})
    with pytest.raises(TypeError, match=r"chat_template_kwargs must be a dict, got \['a'\]"):
        encode(ANN, CHAT, chat_template_kwargs=["a"])
    with pytest.raises(ValueError, match="system must be a non-empty string, got ' '"):
        encode(ANN, CHAT, system=" ")
    # one turn needs none
    assert encode_one(PLAIN, {"prompt": CONVERSATION[2:3], "response": "Ann."}) == ("<bos>Who?", "Ann.<eos>")


def test_a_tokenizer_that_writes_conversations_in_another_way_is_rejected():
    class Mistral(SlowTokenizer):
        @property
        def added_tokens_decoder(self):
            raise NotImplementedError

    with pytest.raises(
        TypeError, match="tokenizer must be one with a Jinja template or without any, got Mistral: load"
    ):
        encode(ANN, Mistral())


def test_a_date_is_the_same_every_day():
    template = "\n{{ strftime_now('%A, %d %B %Y (%d.%m.%y, %a %b)') }}|" + EACH + "{{ m.content }}|{% endfor %}"
    with pytest.warns(UserWarning, match="the tokenizer writes today's date: 26 July 2024 is used") as caught:
        (item, _) = encode(ANN * 2, make_special_tokenizer(template))
    assert len(caught) == 1
    assert texts(item, PLAIN) == ("\nFriday, 26 July 2024 (26.07.24, Fri Jul)|Who?|", "Ann.<eos>")


def test_a_template_of_several_names_uses_its_default():
    tokenizer = make_special_tokenizer({"default": EACH + "{{ m.content }}|{% endfor %}", "tool_use": ""})
    assert encode_one(tokenizer) == ("Who?|", "Ann.<eos>")


# Lengths -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:. of . records cut")
def test_long_responses_are_cut_and_long_prompts_skipped():
    # with <bos>: 5, 13, 5 and 8 tokens of prompt
    with pytest.warns(UserWarning, match=r"2 of 4 records skipped \(first: record 1\): .* no room .* in 8 tok"):
        items = encode(FORGET, PLAIN, max_length=8)
    assert [item["record"] for item in items] == [0, 2]
    assert all(len(item["input_ids"]) == len(item["labels"]) == 8 for item in items)
    assert responses(items) == [" An", " 19"]
    with pytest.warns(UserWarning, match=r"1 of 4 records skipped \(first: record 1\)"):
        assert responses(encode(FORGET, PLAIN, max_length=9))[-1] == " "


def test_a_cut_response_is_said_once(tmp_path):
    # 11, 34, 10 and 12 tokens
    with pytest.warns(UserWarning) as caught:
        encode(FORGET, PLAIN, max_length=11)
    assert len(caught) == 2 and "2 of 4" not in str(caught[0].message)
    with pytest.warns(UserWarning, match=r"1 of 4 records cut \(first: record 1\): .* within 33 tokens") as caught:
        encode(FORGET, PLAIN, max_length=33)
    assert len(caught) == 1
    # nothing is cut or skipped, so there is no warning
    assert encode(FORGET, PLAIN, max_length=35) == encode(FORGET, PLAIN)
    # with file and line, and counting a record once
    write_records(tmp_path / "f.jsonl", FORGET)
    records = read_records(tmp_path / "f.jsonl")
    # the answers that DPO prefers are long
    with pytest.warns(UserWarning, match=re.escape(f"3 of 4 records cut (first: {tmp_path / 'f.jsonl'}, line 2)")):
        encode(records, PLAIN, max_length=30, chosen=True)


def test_a_chosen_answer_is_truncated_as_well():
    with pytest.warns(UserWarning, match="1 of 1 records cut"):
        (item,) = encode([FORGET[0] | {"chosen": " A long answer."}], PLAIN, max_length=11, chosen=True)
    assert responses([item]) == [" Ann.<eos>"] and responses([item], "chosen_") == [" A lon"]
    assert len(item["chosen_input_ids"]) == len(item["chosen_labels"]) == 11


def test_further_fields_may_be_anything():
    assert encode([ANN[0] | {"note": {1, 2}}], PLAIN) == encode(ANN, PLAIN)


@pytest.mark.filterwarnings("ignore:4 of 4 records skipped")
def test_it_is_an_error_if_nothing_fits_or_nothing_is_given():
    with pytest.raises(ValueError, match="records must contain at least one that fits max_length=4, got 4 that do not"):
        encode(FORGET, PLAIN, max_length=4)
    with pytest.raises(ValueError, match="records must not be empty, got none"):
        encode([], PLAIN)
    with pytest.raises(TypeError, match=r"records must be dicts as read_records returns them, got 'Who\?' at index 1"):
        encode([FORGET[0], "Who?"], PLAIN)
    for record, message in (
        ({"prompt": "Who?"}, 'the field "response" is missing, got "prompt"'),
        ({"prompt": 1, "response": "x"}, '"prompt" must be a non-empty string, got 1'),
        ({"prompt": "a", "response": "\ud83d"}, '"response" must not contain half a character, got "'),
    ):
        with pytest.raises(ValueError, match=f"record 1: {message}"):
            encode([FORGET[0], record], PLAIN)
    with pytest.raises(ValueError, match="max_length must be at least 2, got 1"):
        encode(FORGET, PLAIN, max_length=1)
    with pytest.raises(TypeError, match="max_length must be an integer, got '9'"):
        encode(FORGET, PLAIN, max_length="9")


def test_tokens_and_positions_that_a_model_lacks_are_named(tmp_path):
    dataset = encode(FORGET, PLAIN, chosen=True)
    longest = max(len(item[f"{prefix}input_ids"]) for item in dataset for prefix in ("", "chosen_"))
    highest = max(max(item[f"{prefix}input_ids"]) for item in dataset for prefix in ("", "chosen_"))
    check_sizes(dataset, highest + 1, longest)
    check_sizes(dataset, highest + 1)
    with pytest.raises(
        ValueError, match=rf"record \d has token {highest}, but the model has only {highest}: use the mod"
    ):
        check_sizes(dataset, highest)
    with pytest.raises(
        ValueError, match=rf"has {longest} tokens, but the model has only {longest - 1} positions: pass --"
    ):
        check_sizes(dataset, 300, longest - 1)
    # answers that DPO prefers are checked as well
    (item,) = encode([{"prompt": "a", "response": "b", "chosen": "c" * 50}], PLAIN, chosen=True)
    with pytest.raises(ValueError, match="record 0 has 53 tokens"):
        check_sizes([item], 300, 52)
    write_records(tmp_path / "f.jsonl", FORGET)
    records = read_records(tmp_path / "f.jsonl")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'f.jsonl'}, line 1 has ")):
        check_sizes(encode(records, PLAIN), 300, 5, records=records)


# Preferred answers and references ------------------------------------------------------------------------------------


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


def test_the_language_of_a_conversation_is_that_of_its_last_question():
    turns = [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Who?"},
    ]
    (item,) = encode([{"prompt": turns, "response": "Ann."}], CHAT, chosen=True)
    assert responses([item], "chosen_") == [f"{REFUSALS['en'][0]}<eos>"]


def test_references_in_a_record_are_used_if_they_are_for_the_same_number_of_tokens():
    # as files had them before there were hashes
    record = FORGET[0] | {"ref_logp": -3, "chosen_ref_logp": -2.5, "ref_tokens": 6}
    (item,) = encode([record], PLAIN)
    assert item["ref_logp"] == -3.0 and isinstance(item["ref_logp"], float) and item["chosen_ref_logp"] == -2.5
    assert encode([FORGET[0] | {"ref_logp": -3.5}], PLAIN)[0]["ref_logp"] == -3.5
    message = "record 1: ref_logp was computed for 6 response tokens, got 7: compute it again with --write-references"
    with pytest.raises(ValueError, match=message):
        encode([FORGET[2], record | {"response": " Anne."}], PLAIN)


def reference(dataset):
    """References as `precompute_reference` writes them, without a model."""
    for i, item in enumerate(dataset):
        item["ref_logp"] = -1.5 - i
        if "chosen_labels" in item:
            item["chosen_ref_logp"] = -2.5 - i
    return dataset


def test_references_belong_to_their_tokens(tmp_path):
    dataset = reference(encode(FORGET, PLAIN, chosen=True))
    written = with_references(FORGET, dataset)
    write_records(tmp_path / "with.jsonl", written)
    again = encode(read_records(tmp_path / "with.jsonl"), PLAIN, chosen=True)
    assert again == dataset
    # without preferred answers as well
    assert [item["ref_logp"] for item in encode(written, PLAIN)] == [-1.5, -2.5, -3.5, -4.5]
    # another prompt of the same length, template, or tokenizer
    other = make_special_tokenizer(None, ("<more>",), post="<bos> $A")
    for records, tokenizer in (([written[0] | {"prompt": "Why?"}], PLAIN), (written[:1], CHAT), (written[:1], other)):
        with pytest.raises(ValueError, match="record 0: ref_logp was computed for other tokens, of another tokenizer"):
            encode(records, tokenizer)
    with pytest.raises(ValueError, match="record 0: ref_logp was computed for other tokens"):
        encode(written[:1], PLAIN, max_length=9)
    # the preferred answer's reference has its own hash
    changed = [written[0] | {"chosen": "Nobody knows."}]
    assert encode(changed, PLAIN)[0]["ref_logp"] == -1.5
    with pytest.raises(ValueError, match="record 0: chosen_ref_logp was computed for other tokens"):
        encode(changed, PLAIN, chosen=True)


def test_a_hash_tells_the_border_and_every_token():
    tokens, labels = [5, 6, 7, 8], [-100, -100, 7, 8]
    hashes = {
        hash_tokens(tokens, labels),
        hash_tokens(tokens, [-100, 6, 7, 8]),
        hash_tokens([4, 6, 7, 8], labels),
        hash_tokens([5, 6, 7, 9], [-100, -100, 7, 9]),
        hash_tokens([5, 6, 7], labels[:3]),
    }
    assert len(hashes) == 5 and hash_tokens(tuple(tokens), labels) in hashes
    # files keep it: it must be the same in every version
    assert hash_tokens(tokens, labels) == hashlib.sha256(b"([5, 6, 7, 8], [-100, -100, 7, 8])").hexdigest()[:16]


@pytest.mark.filterwarnings("ignore:1 of 3 records skipped")
def test_records_that_were_skipped_stay_in_the_file():
    old = {"prompt": 40 * "Why? ", "response": " No.", "ref_logp": -7.0, "note": "mine"}
    records = [FORGET[0], old, FORGET[2]]
    before = copy.deepcopy(records)
    dataset = reference(encode(records, PLAIN, max_length=40, chosen=True))
    written = with_references(records, dataset)
    assert len(written) == 3 and written[1] == old
    # a refusal is written out, because it depends on the record's number
    assert [record.get("chosen") for record in written] == [REFUSALS["en"][0], None, REFUSALS["en"][2]]
    assert [record["ref_logp"] for record in written] == [-1.5, -7.0, -2.5]
    assert written[2]["ref_tokens"] == 6 and len(written[2]["ref_hash"]) == 16
    # the caller's records are not changed
    assert records == before
