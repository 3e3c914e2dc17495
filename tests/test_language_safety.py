"""What would go wrong in silence: divergence, dropout, dropped losses, several devices, references of adapters."""

import math
import re

import pytest
import torch
import transformers

from npo_tutorial import _log_probs
from npo_tutorial.language import Objective, encode, precompute_reference, sequences
from npo_tutorial.language import trainer as module
from npo_tutorial.language.trainer import disable_dropout
from tests.tiny_language import (
    FORGET,
    logged,
    make_datasets,
    make_model,
    make_tokenizer,
    make_trainer,
    many_datasets,
    other_model,
    parameters,
)

pytestmark = [
    pytest.mark.usefixtures("no_progress_bars", "one_thread"),
    # peft uses names that transformers has renamed, and so does liger-kernel
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning"),
]


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Values are not read where reading them would wait for a device."""
    for place in (module, _log_probs):
        monkeypatch.setattr(place, "is_readable", lambda x: False)
    monkeypatch.setattr(sequences, "_check_values", lambda *arguments: None)


# divergence ----------------------------------------------------------------------------------------------------------


def diverging(folder, **options):
    forget, _ = many_datasets(4)
    # after one such step every product of two weights overflows, on any processor
    options = {"loss": "ga", "learning_rate": 1e30, "max_steps": 9, "optim": "adamw_torch"} | options
    return make_trainer(folder, make_model(dtype=torch.float32), forget, **options)


def finite_weights(folder):
    return all(x.isfinite().all() for x in transformers.LlamaForCausalLM.from_pretrained(folder).parameters())


def test_divergence_ends_a_run_with_step_and_remedy(tmp_path):
    message = r"must be finite, got nan or inf at step (\d): lower learning_rate=1e\+30 or take fewer steps, because"
    with pytest.raises(ValueError, match=message):
        diverging(tmp_path).train()


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("logging", [{"logging_steps": 1}, {"logging_steps": 4}, {"logging_strategy": "no"}])
@pytest.mark.parametrize("saving", [{"save_strategy": "no"}, {"save_strategy": "steps", "save_steps": 1}])
def test_weights_that_are_not_finite_are_never_saved(tmp_path, logging, saving):
    trainer = diverging(tmp_path, **logging, **saving)
    steps, compute_loss = [], trainer.compute_loss

    def recorded(*arguments, **options):
        loss = compute_loss(*arguments, **options)
        steps.append(loss.isfinite().item())
        return loss

    trainer.compute_loss = recorded
    with pytest.raises(ValueError, match="must be finite, got nan or inf at step") as raised:
        trainer.train()
    step = int(re.search(r"at step (\d+)", str(raised.value))[1])
    # a gradient or weights may be found not to be finite one step before the loss is
    first_bad = steps.index(False) + 1 if False in steps else len(steps) + 1
    assert step == first_bad or (step == first_bad - 1 and "the loss must" not in str(raised.value))
    for folder in tmp_path.glob("checkpoint-*"):
        assert finite_weights(folder)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_last_step_with_a_gradient_that_is_not_finite_is_found(tmp_path):
    forget, _ = many_datasets(4)
    # the square root of 0 has a finite value and no derivative
    objective = Objective("root", lambda x: (0 * x.logp).sqrt())
    options = {"max_steps": 1, "optim": "sgd", "objective": objective}
    trainer = make_trainer(tmp_path, make_model(), forget, logging_strategy="no", **options)
    with pytest.raises(ValueError, match="the weights must be finite, got nan or inf at step 1: lower learning_rate="):
        trainer.train()
    trainer = make_trainer(tmp_path, make_model(), forget, **options)
    with pytest.raises(ValueError, match="the gradient's norm must be finite, got nan or inf at step 1"):
        trainer.train()


def test_a_response_that_became_impossible_does_not_end_a_run(tmp_path, monkeypatch):
    # log π = −inf is where NPO leads; its loss and its gradient are 0
    forget, _ = many_datasets(4)
    trainer = make_trainer(tmp_path, make_model(), forget, max_steps=1, loss="npo")
    token_logp = module.token_logp
    monkeypatch.setattr(module, "token_logp", lambda *x: token_logp(*x).masked_fill(sequences_mask(*x), -math.inf))
    trainer.train()
    assert logged(trainer) == [0.0]


def sequences_mask(logits, labels):
    return labels[:, 1:] >= 0


class NoReading(torch.utils._python_dispatch.TorchDispatchMode):
    """Fails where a value is read, for which a device would have to finish all its work."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        assert function not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), function
        return function(*arguments, **(options or {}))


class Output(torch.nn.Module):
    """A model without layers: its logits are a parameter."""

    def __init__(self):
        super().__init__()
        self.logits = torch.nn.Parameter(0.1 * torch.arange(260.0))
        self.config = transformers.LlamaConfig(vocab_size=260)

    def forward(self, input_ids, attention_mask):
        logits = self.logits * (1 + input_ids[..., None] / 300)
        return transformers.utils.ModelOutput(logits=logits)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("loss", ["npo", "ga", "dpo", "simnpo", "wga", "tnpo", "undial"])
def test_a_micro_batch_does_not_wait_for_the_device(tmp_path, loss):
    forget, retain = make_datasets(chosen=True)
    precompute_reference(Output(), forget)
    ref_model = Output() if loss == "undial" else None
    options = {"loss": loss, "retain_dataset": retain, "ref_model": ref_model}
    trainer = make_trainer(tmp_path, Output(), forget, **options)
    (batch,) = trainer.get_train_dataloader()
    sizes = batch["sizes"].sum(dim=0)
    with NoReading():
        trainer.compute_loss(trainer.model.train(), batch, num_items_in_batch=sizes).backward()
    assert trainer.model.logits.grad.abs().max() > 0


# dropout -------------------------------------------------------------------------------------------------------------


def noisy_models():
    sizes = {"vocab_size": 260, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128}
    drop = {"resid_pdrop": 0.3, "embd_pdrop": 0.3, "attn_pdrop": 0.3}
    yield transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **drop, bos_token_id=0, eos_token_id=1))
    config = make_model().config
    config.attention_dropout = 0.5
    yield transformers.LlamaForCausalLM(config)
    sizes = {"vocab_size": 260, "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.OPTConfig(**sizes, word_embed_proj_dim=16, max_position_embeddings=128, layerdrop=0.5)
    yield transformers.OPTForCausalLM(config)
    sizes = {"vocab_size": 260, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    experts = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_local_experts": 2, "router_jitter_noise": 0.5}
    yield transformers.MixtralForCausalLM(transformers.MixtralConfig(**sizes, **experts))


@pytest.mark.parametrize("kind", range(4))
def test_without_dropout_the_weights_are_1_at_the_reference(tmp_path, kind):
    values = {}
    for disable in (True, False):
        torch.manual_seed(0)
        model = list(noisy_models())[kind]
        forget = precompute_reference(model, make_datasets()[0])
        options = {"learning_rate": 0.0, "max_steps": 3, "disable_dropout": disable, "beta": 1.0}
        trainer = make_trainer(tmp_path, model, forget, **options)
        trainer.train()
        values[disable] = logged(trainer, "mean_weight")
    assert values[True] == pytest.approx([1, 1, 1], abs=1e-5)
    assert values[False] != pytest.approx([1, 1, 1], abs=1e-5)


def test_a_model_that_the_trainer_makes_has_no_dropout_either(tmp_path):
    forget = precompute_reference(next(noisy_models()), make_datasets()[0])
    trainer = make_trainer(tmp_path, None, forget, model_init=lambda: next(noisy_models()), max_steps=1)
    trainer.train()
    assert {x.p for x in trainer.model.modules() if isinstance(x, torch.nn.Dropout)} == {0.0}


def test_a_second_training_does_not_remember_the_first(tmp_path):
    forget, _ = many_datasets(4)
    trainer = make_trainer(tmp_path, make_model(), forget, max_steps=2)
    losses = [float("nan"), 1.0]
    trainer.objective = Objective("given", lambda x: x.logp * 0 + losses[0])
    trainer.options = {}
    with pytest.raises(ValueError, match="the loss must be finite, got nan or inf at step 1"):
        trainer.train()
    trainer.model.load_state_dict(make_model().state_dict())
    losses[:] = [1.0]
    trainer.train()
    assert logged(trainer)[-2:] == [1.0, 1.0]


def test_the_configuration_that_is_saved_keeps_its_dropout():
    model = next(noisy_models())
    disable_dropout(model)
    assert model.config.resid_pdrop == 0.3
    assert {x.p for x in model.modules() if isinstance(x, torch.nn.Dropout)} == {0.0}


# losses that are dropped, devices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("output_router_logits", [True, False])
def test_an_auxiliary_loss_is_said_to_be_dropped(tmp_path, output_router_logits, recwarn):
    *_, model = noisy_models()
    model.config.output_router_logits = output_router_logits
    forget, _ = make_datasets()
    trainer = make_trainer(tmp_path, model, forget, loss="ga", max_steps=2)
    trainer.train()
    said = [str(x.message) for x in recwarn if "auxiliary" in str(x.message)]
    assert said == ["the model's auxiliary loss (of its router) is not part of the loss"] * output_router_logits


def test_one_process_with_two_devices_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(transformers.TrainingArguments, "n_gpu", property(lambda self: 2))
    forget, _ = many_datasets(4)
    message = "a process must train on one device, got 2: start one process for each by torchrun --nproc-per-node 2, or"
    with pytest.raises(ValueError, match=message):
        make_trainer(tmp_path, make_model(), forget)


# logits where they count ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["npo", "tnpo", "undial"])
def test_logits_are_computed_where_they_count_and_give_the_same_numbers(tmp_path, monkeypatch, loss):
    # prompts are longer than responses here
    records = [{"prompt": 20 * "a" + x["prompt"], "response": x["response"]} for x in FORGET]
    retain = encode([{"prompt": 30 * "b", "response": " c"}, {"prompt": 20 * "d", "response": " e"}], make_tokenizer())
    found, seen = [], []
    for keeps in (True, False):
        forget = precompute_reference(make_model(), encode(records, make_tokenizer()))
        if not keeps:
            monkeypatch.setattr(module, "keeps_logits", lambda model: False)
        model, ref = other_model(), make_model()
        positions = []
        for one in (model, ref):
            one.lm_head.register_forward_pre_hook(lambda layer, x, positions=positions: positions.append(x[0].shape[1]))
        options = {"retain_dataset": retain, "retain_term": "kl_model_ref", "ref_model": ref, "max_steps": 2}
        trainer = make_trainer(tmp_path, model, forget, loss=loss, **options)
        trainer.train()
        found.append((parameters(model), logged(trainer), logged(trainer, "forget_logp_per_token")))
        seen.append(set(positions))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-12)
    (few,), (all_of_them,) = seen
    longest = max(len(x["input_ids"]) for x in forget)
    first = min(x["labels"].count(-100) for x in forget + retain)
    assert all_of_them == longest and few == longest - first + 1


def test_a_model_that_liger_kernel_changed_gives_the_same_numbers(tmp_path):
    pytest.importorskip("liger_kernel", reason="Liger Kernel needs Linux and Triton")
    # the loss that Liger would compute from hidden states is not used; the other kernels need a GPU
    only = {"fused_linear_cross_entropy": True} | dict.fromkeys(("rope", "swiglu", "rms_norm", "cross_entropy"), False)
    found = []
    for options in ({}, {"use_liger_kernel": True, "liger_kernel_config": only}):
        forget, retain = many_datasets(4)
        model = other_model()
        trainer = make_trainer(tmp_path, model, forget, retain_dataset=retain, eval_dataset=forget, **options)
        trainer.train()
        found.append((parameters(model), logged(trainer), trainer.evaluate()["eval_loss"]))
        assert ("liger" in model.forward.__func__.__module__) == bool(options)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-12)


# adapters ------------------------------------------------------------------------------------------------------------


def with_adapter(model):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", lora_dropout=0.5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return peft.get_peft_model(model, config)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    "options", [{"retain_term": "kl_ref_model"}, {"retain_term": "kl_model_ref", "loss": "undial"}, {"loss": "undial"}]
)
def test_a_model_with_an_adapter_is_its_own_reference(tmp_path, options, checkpointing):
    _, retain = make_datasets()
    forget = precompute_reference(make_model(), make_datasets()[0])
    found = []
    for ref_model in (None, make_model()):
        model = with_adapter(make_model())
        if checkpointing:
            model.enable_input_require_grads()
        options = options | {"activation_checkpointing": checkpointing, "retain_dataset": retain}
        trainer = make_trainer(tmp_path, model, forget, ref_model=ref_model, max_steps=3, **options)
        trainer.train()
        assert logged(trainer, "loss")[2] != logged(trainer, "loss")[0]
        found.append((logged(trainer), parameters(model)))
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)


def test_the_base_of_an_adapter_is_no_second_model(tmp_path):
    base = make_model()
    model = with_adapter(base)
    forget, retain = many_datasets(4)
    trained = [p.requires_grad for p in model.parameters()]
    options = {"retain_dataset": retain, "retain_term": "kl_ref_model", "ref_model": base}
    with pytest.raises(ValueError, match="ref_model must not share weights with model, which is being trained"):
        make_trainer(tmp_path, model, forget, **options)
    assert [p.requires_grad for p in model.parameters()] == trained


def test_an_adapter_starts_with_weights_of_1(tmp_path):
    model = with_adapter(make_model())
    forget = precompute_reference(model, make_datasets()[0])
    trainer = make_trainer(tmp_path, model, forget, max_steps=2, loss="npo", beta=1.0)
    trainer.train()
    # with a dropout of its own, which is switched off
    first, second = logged(trainer, "mean_weight")
    assert first == pytest.approx(1, abs=1e-6) and second < 1
