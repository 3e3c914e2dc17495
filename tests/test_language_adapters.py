"""language/adapters.py: the reference that a model with an adapter contains, and what is saved of it."""

import copy
import warnings

import peft
import pytest
import torch
import transformers

from npo_tutorial.language.adapters import check_reference, final_model, has_adapter, reference_of
from npo_tutorial.language.models import ModelArguments, load
from tests.test_language_models import TOKENS, change, here, home, logits  # noqa: F401
from tests.tiny_language import make_model

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


def adapted(**options):
    config = {"r": 4, "target_modules": ["q_proj", "up_proj"], "task_type": "CAUSAL_LM"} | options
    return peft.get_peft_model(make_model(dtype=torch.float32), peft.LoraConfig(**config))


def state(model):
    """What `reference_of` must leave as it was."""
    layers = [layer for layer in model.modules() if isinstance(layer, peft.tuners.tuners_utils.BaseTunerLayer)]
    return (
        [(name, x.requires_grad) for name, x in model.named_parameters()],
        [(list(layer.active_adapters), layer.disable_adapters) for layer in layers],
        model.active_adapters,
        model.training,
    )


@pytest.mark.parametrize(
    "options", [{}, {"target_modules": "all-linear"}, {"modules_to_save": ["lm_head"]}, {"use_dora": True}]
)
def test_a_new_adapter_is_switched_off(options):
    base = logits(make_model(dtype=torch.float32))
    model = adapted(**options)
    check_reference(model)
    change(model)
    before, now = state(model), logits(model)
    with reference_of(model):
        assert torch.equal(logits(model), base)
    assert not torch.allclose(now, base, atol=0.1)
    assert torch.equal(logits(model), now) and state(model.train(before[-1])) == before


def test_frozen_adapters_stay_part_of_the_reference():
    model = adapted()
    change(model)
    before = logits(model)
    model.add_adapter("second", peft.LoraConfig(r=2, target_modules=["v_proj"], task_type="CAUSAL_LM"))
    model.base_model.set_adapter(["default", "second"])
    for name, x in model.named_parameters():
        x.requires_grad_(".second." in name)
    check_reference(model)
    change(model, seed=2)
    now, kept = logits(model), state(model)
    with reference_of(model):
        assert torch.equal(logits(model), before)
    assert not torch.allclose(now, before, atol=0.1)
    assert torch.equal(logits(model), now) and state(model) == kept


def test_an_adapter_from_a_folder_is_its_own_reference(here):  # noqa: F811
    model, _ = load(ModelArguments(model="adapter", dtype="float32"))
    before = logits(model)
    check_reference(model)
    change(model)
    now, kept = logits(model), state(model)
    with reference_of(model):
        assert torch.equal(logits(model), before)
    assert not torch.allclose(now, before, atol=0.1)
    assert torch.equal(logits(model), now) and state(model) == kept


def test_gradients_are_those_of_the_model_alone():
    # the reference is computed between a forward pass and its backward pass
    start, found = adapted(), []
    change(start)
    for with_reference in (False, True):
        model = copy.deepcopy(start)
        loss = model(input_ids=TOKENS).logits.square().mean()
        if with_reference:
            with reference_of(model), torch.no_grad():
                model(input_ids=TOKENS)
        loss.backward()
        found.append([x.grad for x in model.parameters() if x.requires_grad])
    assert len(found[0]) == 8 and all(map(torch.equal, *found))


def test_an_error_inside_leaves_the_model_as_it_was():
    model = adapted()
    change(model)
    now, kept = logits(model), state(model)
    with pytest.raises(RuntimeError, match="inside"), reference_of(model):
        raise RuntimeError("inside")
    assert torch.equal(logits(model), now) and state(model) == kept


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_model(), "got no adapter"),
        (lambda: adapted().requires_grad_(False), "got no adapter"),
        (lambda: adapted(bias="all", target_modules=["q_proj"]), None),
        (lambda: biased(), "got an adapter and other weights, such as biases"),
        (lambda: adapted().requires_grad_(True), "got an adapter and other weights"),
    ],
)
def test_models_that_do_not_contain_their_reference(make, message):
    model = make()
    assert has_adapter(model) == (message is None)
    if message is not None:
        with pytest.raises(ValueError, match=message), reference_of(model):
            pass


def biased():
    """An adapter with which the biases of the model are trained, too."""
    config = transformers.Qwen2Config(
        vocab_size=260, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2
    )
    lora = peft.LoraConfig(r=2, bias="all", target_modules=["q_proj"], task_type="CAUSAL_LM")
    return peft.get_peft_model(transformers.Qwen2ForCausalLM(config), lora)


def test_the_base_that_was_changed_in_place_is_not_a_reference():
    base = make_model(dtype=torch.float32)
    other = copy.deepcopy(base)
    model = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for wrong in (base, model, model.get_base_model()):
        with pytest.raises(ValueError, match="ref_model must not share weights with model"):
            check_reference(model, wrong)
    check_reference(model, other)
    # nothing was frozen
    assert sum(x.requires_grad for x in model.parameters()) == 4


def test_an_adapter_that_was_trained_before_needs_a_copy(here):  # noqa: F811
    base = transformers.AutoModelForCausalLM.from_pretrained("model")
    model = peft.PeftModel.from_pretrained(base, "adapter", is_trainable=True)
    with pytest.raises(ValueError, match=r"frozen copy .* model.load_adapter\(FOLDER, 'reference'\) makes the copy"):
        check_reference(model)
    model.load_adapter("adapter", "reference")
    check_reference(model)


# ---- training


class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        tokens = torch.arange(i, i + 6)
        return {"input_ids": tokens, "labels": tokens}


def train(model, folder, *, resume=None, **options):
    args = transformers.TrainingArguments(
        output_dir=folder,
        max_steps=4,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        report_to="none",
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=2,
        **options,
    )
    trainer = transformers.Trainer(model, args, train_dataset=Samples())
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=resume)


def weights(model):
    return {name: x.detach().clone() for name, x in model.named_parameters()}


@pytest.mark.parametrize("kwargs", [None, {"use_reentrant": False}, {"use_reentrant": True}])
def test_recomputed_activations_train_the_adapter_of_every_layer(here, kwargs):  # noqa: F811
    found = []
    for checkpointing in (True, False):
        torch.manual_seed(0)
        model, _ = load(ModelArguments(model="model", lora=True, dtype="float32"))
        before = weights(model)
        options = {"activation_checkpointing": checkpointing}
        options |= {"activation_checkpointing_kwargs": kwargs} if checkpointing else {}
        train(model, "trained", **options)
        after = weights(model)
        moved = {name for name, x in after.items() if not torch.equal(x, before[name])}
        # A and B of seven linear layers in each of two blocks, and nothing else
        assert moved == {name for name in after if ".lora_" in name} and len(moved) == 2 * 2 * 7
        found.append(after)
    assert all(torch.allclose(x, found[1][name], atol=1e-5) for name, x in found[0].items())


@pytest.mark.parametrize("source", ["model", "adapter"])
def test_a_resumed_run_has_the_adapter_and_the_reference_of_the_first(here, source):  # noqa: F811
    runs = []
    for resume in (None, "first/checkpoint-2"):
        torch.manual_seed(0)
        model, _ = load(ModelArguments(model=source, lora=source == "model", dtype="float32"))
        with reference_of(model):
            start = logits(model)
        train(model, "second" if resume else "first", resume=resume)
        assert not (here / "first/checkpoint-2/reference").exists()
        with reference_of(model):
            assert torch.equal(logits(model), start)
        runs.append(weights(model))
    assert runs[0].keys() == runs[1].keys()
    assert all(torch.equal(x, runs[1][name]) for name, x in runs[0].items())


# ---- what is saved


@pytest.mark.parametrize("source", ["model", "adapter"])
def test_a_merged_model_is_plain_and_equals_the_adapted_one(here, source):  # noqa: F811
    model, _ = load(ModelArguments(model=source, lora=source == "model", merge=True))
    change(model)
    expected = logits(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        final_model(model, merge=True).save_pretrained("merged")
    plain, report = transformers.AutoModelForCausalLM.from_pretrained("merged", dtype="auto", output_loading_info=True)
    assert type(plain) is transformers.LlamaForCausalLM and not any(report.values())
    assert plain.dtype == torch.float32 and torch.allclose(logits(plain), expected, atol=1e-4)
    assert not (here / "merged/adapter_config.json").exists()


def test_merging_into_half_precision_says_what_is_lost(here):  # noqa: F811
    model, _ = load(ModelArguments(model="model", lora=True, merge=True, dtype="bfloat16"))
    # an update as small as half the distance of neighbours, and much smaller
    for x in model.parameters():
        if x.requires_grad:
            x.data.normal_(std=1e-3)
    with pytest.warns(UserWarning, match=r"loses \d+% of it .*: --dtype float32 keeps all of it"):
        assert final_model(model, merge=True).dtype == torch.bfloat16


def test_an_adapter_is_saved_without_the_copy(here):  # noqa: F811
    model, _ = load(ModelArguments(model="adapter", dtype="float32"))
    change(model)
    expected = logits(model)
    assert final_model(model) is model
    model.save_pretrained("saved")
    assert not (here / "saved/reference").exists()
    again, _ = load(ModelArguments(model="saved", dtype="float32"))
    assert torch.equal(logits(again), expected)


def test_a_plain_model_is_saved_as_it_is():
    model = make_model()
    assert final_model(model) is model
