"""language/models.py: what is checked before weights are loaded, and how they are loaded."""

import copy
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading

import pytest
import torch
import transformers

from npo_tutorial.language import models
from npo_tutorial.language.adapters import has_adapter
from npo_tutorial.language.models import ModelArguments, load, look_up, still_share, warn_of_still_weights
from tests.conftest import ROOT, nightly, once
from tests.tiny_language import make_model, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
TOKENS = torch.tensor([[0, 65, 66, 67, 68, 1]])


def make_home(home):
    make_tokenizer().save_pretrained(home / "model")
    make_model(dtype=torch.float32).save_pretrained(home / "model")
    model, _ = load(ModelArguments(model=str(home / "model"), lora=True, dtype="float32"))
    change(model)
    model.save_pretrained(home / "adapter")
    return str(home)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with "model", whole, and "adapter", which belongs to it and changes it."""
    return once(tmp_path_factory, "models", lambda: make_home(tmp_path_factory.mktemp("models")))


@pytest.fixture
def here(home, tmp_path, monkeypatch):
    """A copy of it as the working directory."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    edit("adapter/adapter_config.json", base_model_name_or_path="model")
    return tmp_path


def change(model, seed=1):
    """Give the trained weights, which are an adapter's, other values."""
    generator = torch.Generator().manual_seed(seed)
    for x in model.parameters():
        if x.requires_grad:
            x.data += 0.3 * torch.randn(x.shape, generator=generator)


def edit(path, **values):
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({name: value for name, value in (content | values).items() if value != "left out"}, file)


@torch.no_grad()
def logits(model):
    return model.eval()(input_ids=TOKENS).logits


# ---- what is said before weights are loaded


def cut(folder, name="model.safetensors"):
    weights = (folder / name).read_bytes()
    (folder / name).write_bytes(weights[: len(weights) // 2])


def remove(folder, *names):
    for name in names:
        (folder / name).unlink()


def save_other(folder, model):
    model.save_pretrained(folder)


TINY = {"vocab_size": 260, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def make_bert():
    return transformers.BertForMaskedLM(transformers.BertConfig(**TINY))


def make_t5():
    config = transformers.T5Config(vocab_size=260, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    return transformers.T5ForConditionalGeneration(config)


SPOILT = {
    "truncated": (lambda f: cut(f), r"whole weights, got model/model.safetensors with \d+ bytes .*: copy or download"),
    "a pointer of Git LFS": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n", "utf-8"),
        "got a pointer of Git LFS as model/model.safetensors: run git lfs pull",
    ),
    "empty file": (lambda f: (f / "model.safetensors").write_bytes(b""), "whole weights, got .* with 0 bytes"),
    "no weights": (lambda f: remove(f, "model.safetensors"), "must contain weights, model.safetensors, got model with"),
    "a missing shard": (
        lambda f: (
            (f / "model.safetensors").unlink(),
            (f / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "model-2-of-2.safetensors"}}', "utf-8"
            ),
        ),
        "all files that model/model.safetensors.index.json names, got no model-2-of-2.safetensors",
    ),
    "an index of nothing": (
        lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": []}', "utf-8"),
        r"index of its weights, got model/model.safetensors.index.json \(.* got \[\]\): download it again",
    ),
    "an adapter as well": (
        lambda f: shutil.copy(f.parent / "adapter/adapter_config.json", f),
        "folder of a model or of an adapter, got model with both config.json and adapter_config.json: move the files",
    ),
    "no configuration": (lambda f: remove(f, "config.json"), r"config.json or adapter_config.json, got model with \w+"),
    "broken configuration": (
        lambda f: (f / "config.json").write_text('{\n"a": 1,\n}', "utf-8"),
        "model/config.json, line 3: not JSON",
    ),
    "a deep configuration": (
        lambda f: (f / "config.json").write_text(99999 * "[", "utf-8"),
        "model/config.json: not JSON .nested too deeply",
    ),
    "configuration of nothing": (lambda f: (f / "config.json").write_text("[]", "utf-8"), "must contain a JSON object"),
    "unknown type": (
        lambda f: edit(f / "config.json", model_type="nonesuch"),
        "that transformers knows, got model .*nonesuch",
    ),
    "its own code": (
        lambda f: edit(f / "config.json", model_type="nonesuch", auto_map={"AutoConfig": "code.Config"}),
        "that transformers knows, got model .*custom code",
    ),
    "BERT": (
        lambda f: save_other(f, make_bert()),
        "causal language model, such as BertLMHeadModel, got BertForMaskedLM",
    ),
    "T5": (lambda f: save_other(f, make_t5()), "causal language model, got T5ForConditionalGeneration"),
    "no head": (
        lambda f: save_other(f, make_model().model),
        "causal language model, such as LlamaForCausalLM, got LlamaModel",
    ),
    "no tokenizer": (
        lambda f: remove(f, "tokenizer.json", "tokenizer_config.json"),
        "must contain a tokenizer, got none that can be loaded from model .*copy tokenizer.json",
    ),
    "a broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{", "utf-8"), "must contain a tokenizer"),
    "GGUF": (
        lambda f: (remove(f, "config.json"), (f / "model.gguf").touch()),
        "got model with GGUF files, which are for inference",
    ),
    "checkpoints": (
        lambda f: (remove(f, "config.json"), [(f / f"checkpoint-{i}").mkdir() for i in (9, 10)]),
        "got model with checkpoints: use model/checkpoint-10",
    ),
    "a sharded model": (
        lambda f: (remove(f, "config.json"), (f / "__0_0.distcp").touch()),
        "accelerate merge-weights",
    ),
    "nothing": (lambda f: [path.unlink() for path in f.iterdir()], "got model with nothing in it"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_folder_is_named_before_its_weights_are_loaded(here, what):
    spoil, message = SPOILT[what]
    spoil(here / "model")
    with pytest.raises(ValueError, match=message) as error:
        look_up(ModelArguments(model="model"))
    assert str(error.value).startswith(("--model must", "model/config.json")) and "\n" not in str(error.value)


SPOILT_ADAPTERS = {
    "no base": (
        lambda f: edit(f / "adapter_config.json", base_model_name_or_path=None),
        'must be named in adapter/adapter_config.json, as "base_model_name_or_path", got null',
    ),
    "a base that has gone": (
        lambda f: edit(f / "adapter_config.json", base_model_name_or_path="/no/model"),
        'must exist, got /no/model: correct "base_model_name_or_path" in adapter/adapter_config.json',
    ),
    "a base with an adapter": (
        lambda f: shutil.copy(f / "adapter_config.json", f.parent / "model"),
        "the base model of the adapter adapter must be the folder of a model .* got model with both",
    ),
    "a base without weights": (
        lambda f: remove(f.parent / "model", "model.safetensors"),
        "base model .* contain weights",
    ),
    "truncated": (
        lambda f: cut(f, "adapter_model.safetensors"),
        "whole weights, got adapter/adapter_model.safetensors",
    ),
    "no weights": (lambda f: remove(f, "adapter_model.safetensors"), "must contain weights, adapter_model.safetensors"),
    "broken configuration": (
        lambda f: (f / "adapter_config.json").write_text("{", "utf-8"),
        "adapter/adapter_config.json, line 1: not JSON",
    ),
}


@pytest.mark.parametrize("what", SPOILT_ADAPTERS)
def test_a_spoilt_adapter_is_named_before_weights_are_loaded(here, what):
    spoil, message = SPOILT_ADAPTERS[what]
    spoil(here / "adapter")
    with pytest.raises(ValueError, match=message):
        look_up(ModelArguments(model="adapter"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", "must be a folder or a name on a hub, got ''"),
        ("  ", "must be a folder or a name on a hub"),
        ("./nowhere", "must be a folder that exists or a name on a hub, got ./nowhere"),
        ("out/a/b", "must be a folder that exists or a name on a hub, got out/a/b"),
        ("model/config.json", "got the file model/config.json: use its folder, model"),
        ("weights.gguf", "got the file weights.gguf: GGUF files are for inference"),
        # a name that no hub allows
        ("a b", "must be a folder that exists or a name on https://.*, got a b"),
        # no hub can be reached in tests
        ("no/such", r"got no/such, but HF_HUB_OFFLINE is set: set HF_ENDPOINT .*modelscope download --model no/such"),
    ],
)
def test_a_model_that_is_not_there(here, monkeypatch, model, message):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (here / "weights.gguf").touch()
    with pytest.raises(ValueError, match=message) as error:
        look_up(ModelArguments(model=model))
    assert "\n" not in str(error.value)


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as a hub does that does not have a model, or does not give it to everybody."""

    def do_HEAD(self):
        gated = "/gated/" in self.path
        self.send_response(403 if gated else 404)
        self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "no/such",
            "must be a folder that exists or a name on {hub}, got no/such; for a private model run hf auth login",
        ),
        (
            "gated/model",
            "that you may use, got gated/model: accept its terms at {hub}/gated/model, then run hf auth login",
        ),
        # the hub's library tries again for most of a minute
        *nightly(("away", "got no/such, but http://127.0.0.1:9 cannot be reached: set HF_ENDPOINT to a mirror")),
    ],
)
def test_the_hub_is_the_one_of_the_environment(here, name, message):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub = f"http://127.0.0.1:{server.server_port}"
        if name == "away":
            # nothing listens there
            name, hub = "no/such", "http://127.0.0.1:9"
        environment = os.environ | {
            "HF_ENDPOINT": hub,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": "cache",
            "PYTHONPATH": str(ROOT),
        }
        code = f"from npo_tutorial.language.models import *\nlook_up(ModelArguments(model={name!r}))"
        found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8")
        server.shutdown()
    assert message.format(hub=hub) in found.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "--dtype must be one of"),
        ({"dtype": "float16"}, "--dtype must not be float16 for weights that are trained"),
        ({"lora_rank": 4}, "--lora-rank must be left out without --lora, got 4"),
        ({"lora_alpha": 4}, "--lora-alpha must be left out without --lora, got 4"),
        ({"lora_targets": ["q_proj"]}, "--lora-targets must be left out without --lora"),
        ({"lora": True, "lora_rank": 0}, "--lora-rank must be at least 1, got 0"),
        ({"lora": True, "lora_alpha": -1}, "--lora-alpha must be at least 1, got -1"),
        ({"lora": True, "lora_targets": [""]}, "--lora-targets must be names of layers"),
        (
            {"model": "adapter", "lora": True},
            "--lora must be left out with an adapter as --model, which has its own, got",
        ),
        ({"model": "adapter", "lora_rank": 4}, "--lora-rank must be left out with an adapter as --model"),
        ({"merge": True}, "--merge needs an adapter: add --lora"),
        ({"load_in_4bit": True}, "--load-in-4bit needs an adapter: add --lora"),
        ({"lora": True, "load_in_4bit": True, "merge": True}, "--merge must be left out with --load-in-4bit"),
        ({"lora": True, "load_in_4bit": True}, "--load-in-4bit needs a GPU with CUDA, got none"),
    ],
)
def test_options_that_cannot_be(here, monkeypatch, options, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        look_up(ModelArguments(**{"model": "model"} | options))


@pytest.mark.parametrize(
    ("options", "package", "message"),
    [
        ({"lora": True}, "peft", r"this needs peft: pip install 'npo-tutorial\[peft\]'"),
        ({"lora": True, "load_in_4bit": True}, "bitsandbytes", "needs bitsandbytes: pip install bitsandbytes"),
    ],
)
def test_missing_packages_are_named(here, monkeypatch, options, package, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("npo_tutorial.language.models.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=message):
        look_up(ModelArguments(model="model", **options))


LAYERS = "down_proj, embed_tokens, gate_proj, k_proj, lm_head, o_proj, q_proj, up_proj, v_proj"
ABSENT = [
    (["attn"], "['attn'] (Target modules {'attn'} not found in the base model)"),
    (["proj"], "['proj'] (Target modules {'proj'} not found in the base model)"),
    (["q_proj", "v_porj"], "['q_proj', 'v_porj'] (there is no 'v_porj')"),
    (["o_proj", "1.self_attn.q_proj", "2.self_attn.q_proj"], "q_proj'] (there is no '2.self_attn.q_proj')"),
    (["input_layernorm"], "['input_layernorm'] (Target module LlamaRMSNorm((16,), eps=1e-06) is not supported)"),
    (["q_proj", "self_attn"], "['q_proj', 'self_attn'] (Target module LlamaAttention)"),
    (["q_proj", "all-linear"], "['q_proj', 'all-linear'] (there is no 'all-linear')"),
    ("attn", "attn (Target modules attn not found in the base model)"),
    ("q_proj", "q_proj (Target modules q_proj not found in the base model)"),
    (".*(q_proj", ".*(q_proj (missing ), unterminated subpattern at position 2)"),
]
PRESENT = [
    *(["q_proj"], ["q_proj", "down_proj", "lm_head"], ["embed_tokens"], ["0.self_attn.q_proj", "up_proj"]),
    *(["model.layers.1.mlp.up_proj"], r".*\.[qv]_proj", "model.layers.0.*_proj", "all-linear", "All-Linear"),
    *(["all-linear"], ["All-Linear"]),
]


@pytest.mark.parametrize(("targets", "message"), ABSENT)
def test_targets_that_the_model_does_not_have(here, monkeypatch, targets, message):
    arguments = ModelArguments(model="model", lora=True, lora_targets=targets)
    with monkeypatch.context() as without:
        without.setattr("npo_tutorial.language.models._weights", lambda *_: pytest.fail("weights were loaded"))
        with pytest.raises(ValueError, match=r"^--lora-targets must be layers of this model, got ") as raised:
            look_up(arguments)
    assert str(raised.value).endswith(f"{message}: it has {LAYERS}") and "\n" not in str(raised.value)
    # without a model to look at, peft finds it with the weights
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_config", lambda *_, **__: 1 / 0)
    if "there is no" in message:
        assert load(arguments)
    else:
        with pytest.raises(ValueError, match="^" + re.escape(str(raised.value))):
            load(arguments)


@pytest.mark.parametrize("targets", PRESENT)
@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
def test_targets_that_the_model_has(here, targets):
    arguments = ModelArguments(model="model", lora=True, lora_targets=targets)
    state = torch.random.get_rng_state()
    source = look_up(arguments)
    # the adapter's random weights are those of the seed, and the configuration is as it was
    assert torch.equal(torch.random.get_rng_state(), state)
    assert source.config.to_dict() == look_up(ModelArguments(model="model")).config.to_dict()
    model, _ = load(arguments, source)
    assert all(x.device.type == "cpu" for x in model.parameters())


SMALL = {"vocab_size": 260, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize(
    "config",
    [
        transformers.GPT2Config(vocab_size=260, n_embd=16, n_layer=1, n_head=2, n_positions=64),
        transformers.OPTConfig(**SMALL, ffn_dim=16, word_embed_proj_dim=16),
        # experts, of which peft turns the names of earlier versions into those of today
        transformers.MixtralConfig(**SMALL, intermediate_size=16, num_key_value_heads=1, num_local_experts=2),
        transformers.Qwen2MoeConfig(**SMALL, num_key_value_heads=1, num_experts=2, moe_intermediate_size=16),
    ],
    ids=lambda config: config.model_type,
)
# what peft says of targets that it takes
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_what_peft_takes_with_weights_is_taken_without(here, config):
    model = transformers.AutoModelForCausalLM.from_config(config)
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()} - {""}
    lists = [[name] for name in names | {"w1", "gate_proj", "nothing"}] + [["w1", "w3"]]
    if config.model_type == "mixtral":
        lists.append(["w1", "w2", "w3", "q_proj"])
    for targets in lists:
        arguments, said = ModelArguments(model="model", lora=True, lora_targets=targets), []
        for check in (
            lambda arguments: models._check_targets(arguments, config),
            lambda arguments: models._add_adapter(copy.deepcopy(model), arguments),
        ):
            try:
                check(arguments)
            except ValueError as error:
                said.append(str(error))
        assert len(said) in (0, 2) and len({*said}) <= 1, (targets, said)


def test_weights_of_another_model(here):
    edit("model/config.json", hidden_size=32)
    with pytest.raises(ValueError, match="--model must have weights that can be loaded, got model"):
        load(ModelArguments(model="model"))
    edit("model/config.json", hidden_size=16, num_hidden_layers=3)
    with pytest.raises(
        ValueError, match=r"all weights of a LlamaForCausalLM, got model without model.layers.2.* others"
    ):
        load(ModelArguments(model="model"))


def test_an_adapter_of_another_model(here):
    other = transformers.LlamaForCausalLM(transformers.LlamaConfig(**TINY | {"hidden_size": 8}))
    other.save_pretrained("model")
    with pytest.raises(ValueError, match="must be an adapter that fits its base model, got adapter"):
        load(ModelArguments(model="adapter"))


# ---- sizes


@pytest.mark.parametrize(
    ("config", "vocabulary", "positions"),
    [
        (transformers.LlamaConfig(vocab_size=50, max_position_embeddings=77), 50, 77),
        (transformers.GPT2Config(vocab_size=51, n_positions=32), 51, 32),
        # no positions are learned, and none are counted
        (transformers.BloomConfig(vocab_size=52), 52, None),
        (transformers.Gemma3Config(text_config={"vocab_size": 53, "max_position_embeddings": 99}), 53, 99),
    ],
)
def test_sizes_are_known_without_weights(here, config, vocabulary, positions):
    config.save_pretrained("model")
    edit("model/config.json", architectures="left out")
    source = look_up(ModelArguments(model="model"))
    assert (source.vocabulary, source.positions) == (vocabulary, positions)


# ---- what is loaded


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({}, torch.float32),
        ({"dtype": "bfloat16"}, torch.bfloat16),
        ({"dtype": "auto"}, torch.float64),
        ({"lora": True}, torch.bfloat16),
        ({"lora": True, "merge": True}, torch.float32),
        ({"lora": True, "dtype": "float16"}, torch.float16),
    ],
)
def test_the_dtype_is_the_one_asked_for_and_the_saved_one(here, options, weights):
    make_model(dtype=torch.float64).save_pretrained("model")
    model, _ = load(ModelArguments(model="model", **options))
    frozen = {x.dtype for name, x in model.named_parameters() if "lora" not in name}
    assert frozen == {weights}
    # an adapter is always in float32: its steps are small
    assert {x.dtype for name, x in model.named_parameters() if "lora" in name} <= {torch.float32}
    if "lora" not in options:
        model.save_pretrained("saved")
        assert transformers.AutoModelForCausalLM.from_pretrained("saved", dtype="auto").dtype == weights


def test_a_new_adapter_changes_nothing_and_depends_on_the_seed(here):
    base, _ = load(ModelArguments(model="model"))
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model, tokenizer = load(ModelArguments(model="model", lora=True, dtype="float32", lora_rank=3, lora_alpha=5))
        assert torch.equal(logits(model), logits(base))
        found.append({name: x.clone() for name, x in model.named_parameters() if x.requires_grad})
    config = model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout, config.bias) == (3, 5, 0.0, "none")
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())
    assert not all(torch.equal(x, found[2][name]) for name, x in found[0].items())
    # all linear layers except the last: seven of each of the two layers
    assert len(found[0]) == 2 * 2 * 7 and has_adapter(model)
    assert tokenizer("a")["input_ids"] == make_tokenizer()("a")["input_ids"]


@pytest.mark.parametrize("base", ["absolute", "relative"])
def test_an_adapter_in_a_folder_goes_on(here, base):
    if base == "absolute":
        edit("adapter/adapter_config.json", base_model_name_or_path=str(here / "model"))
    plain, _ = load(ModelArguments(model="model"))
    model, _ = load(ModelArguments(model="adapter", dtype="float32"))
    assert has_adapter(model) and not torch.allclose(logits(model), logits(plain), atol=0.1)
    assert {name.split(".")[-2] for name, x in model.named_parameters() if x.requires_grad} == {"default"}
    # its own tokenizer, if there is one, and otherwise that of the base
    assert look_up(ModelArguments(model="adapter")).tokenizer.eos_token == "<eos>"
    tokenizer = make_tokenizer()
    tokenizer.eos_token = "z"
    tokenizer.save_pretrained("adapter")
    assert look_up(ModelArguments(model="adapter")).tokenizer.eos_token == "z"


# ---- weights that stand still


@pytest.mark.parametrize(
    ("dtype", "weight", "step", "still"),
    [
        # 1 has the neighbours 1 + 1/128 and 1 − 1/256 in bfloat16; half of the way is rounded back
        (torch.bfloat16, 1.0, 0.9 / 512, 1),
        (torch.bfloat16, 1.0, 1.1 / 512, 0),
        (torch.bfloat16, 1.5, 0.9 / 256, 1),
        (torch.bfloat16, 1.5, 1.1 / 256, 0),
        (torch.bfloat16, 0.02, 1e-5, 1),
        (torch.bfloat16, 0.002, 1e-5, 0),
        (torch.bfloat16, 0.0, 1e-5, 0),
        (torch.float16, 0.02, 1e-5, 0),
        (torch.float16, 0.2, 1e-5, 1),
        (torch.float32, 1.0, 1e-5, 0),
        (torch.float32, 1.0, 1e-9, 1),
    ],
)
def test_a_step_below_half_the_spacing_is_lost(dtype, weight, step, still):
    layer = torch.nn.Linear(4, 300, bias=False, dtype=dtype)
    layer.weight.data.fill_(weight)
    assert still_share(layer, step) == still
    # and it is lost in training
    optimizer = torch.optim.SGD(layer.parameters(), lr=step)
    layer.weight.grad = torch.ones_like(layer.weight)
    optimizer.step()
    moved = layer.weight != torch.tensor(weight).to(dtype)
    assert moved.all() != still and moved.any() != still


def test_the_share_is_that_of_all_trained_weights():
    model = torch.nn.Sequential(*(torch.nn.Linear(1000, n, bias=False, dtype=torch.bfloat16) for n in (300, 100)))
    for layer, weight in zip(model, (1.0, 0.001), strict=True):
        layer.weight.data.fill_(weight)
    assert still_share(model, 1e-5) == 0.75
    model[0].requires_grad_(False)
    assert still_share(model, 1e-5) == 0
    assert still_share(model.requires_grad_(False), 1e-5) == 0


def test_a_warning_names_the_share_and_the_remedy():
    model = make_model(dtype=torch.bfloat16)
    with pytest.warns(UserWarning, match=r"about 9\d% of the weights .* learning_rate=1e-05 .* bfloat16: .* bf16=True"):
        warn_of_still_weights(model, 1e-5)


@pytest.mark.parametrize(
    ("dtype", "learning_rate"), [(torch.float32, 1e-5), (torch.bfloat16, 0.1), (torch.bfloat16, 0.0)]
)
def test_there_is_no_warning_where_weights_move_or_are_meant_not_to(dtype, learning_rate):
    warn_of_still_weights(make_model(dtype=dtype), learning_rate)
