"""What brings back what was forgotten: rounding, relearning, other words; and models whose fate is known."""

import copy
import random
import warnings

import pytest
import torch

from npo_tutorial.language import encode, evaluate
from npo_tutorial.language.evaluation import ask
from npo_tutorial.language.evaluation.measuring import round_weights, rounded_layers
from npo_tutorial.language.teaching import teach
from tests.tiny_language import make_model, make_tokenizer, parameters

# the models are taught in a quarter of a minute: one worker should do it
pytestmark = [pytest.mark.usefixtures("one_thread", "no_progress_bars"), pytest.mark.xdist_group("attacks")]
TOKENIZER = make_tokenizer()
OPTIONS = {"max_new_tokens": 8}


def secrets(n, seed):
    """Questions whose answers cannot be guessed: four letters each."""
    letters = random.Random(seed)
    return [{"prompt": f"{i}?", "response": " " + "".join(letters.choices("abcdefgh", k=4))} for i in range(n)]


RECORDS = secrets(24, 0)
SETS = {"forget": RECORDS[::3], "retain": [record for i, record in enumerate(RECORDS) if i % 3]}


def with_adapter():
    """A model with an adapter that changes what it answers."""
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(make_model().float(), peft.LoraConfig(r=2, target_modules=["q_proj"]))
    with torch.no_grad():
        for name, x in model.named_parameters():
            if "lora_B" in name:
                x.fill_(0.2)
    return model


def taught(records, seed=0, n_steps=250):
    model = make_model(seed).float()
    teach(model, encode(records, TOKENIZER), n_steps, learning_rate=1e-2, batch_size=24, seed=seed)
    return model


@pytest.fixture(scope="module")
def models():
    """The model before unlearning, and two that never saw the forget set."""
    torch.set_num_threads(1)
    return {"before": taught(RECORDS), "retrained": taught(SETS["retain"]), "another": taught(SETS["retain"], 1)}


def test_fates_of_models_are_found(models):
    def outcome(model):
        found = evaluate(model, TOKENIZER, SETS, before=models["before"], retrained=models["retrained"], **OPTIONS)
        return found.found

    untouched = outcome(models["before"])
    assert untouched["overall"] == "too_little"
    # the words come back, too
    assert untouched["sets"]["forget"]["rows"][1]["values"]["model"][0] == 1
    destroyed = make_model(5).float()
    with torch.no_grad():
        # sure of tokens that are not in any answer
        destroyed.lm_head.weight.mul_(40)
    found = outcome(destroyed)
    assert found["overall"] == "too_much" and found["utility"]["outcome"] == "lower"
    assert outcome(models["retrained"])["overall"] == "as_retrained"
    # eight questions are too few to be sure of another model, but it did not forget too little
    assert outcome(models["another"])["overall"] in ("as_retrained", "undecided")


def test_the_models_that_are_asked_do_not_change(models):
    before = parameters(models["retrained"]).clone()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    found = ask(models["retrained"], TOKENIZER, SETS, four_bits=True, relearning_steps=2, learning_rate=1e-2, **OPTIONS)
    assert torch.equal(parameters(models["retrained"]), before)
    assert torch.equal(torch.rand(1), expected)
    assert set(found) == {"forget", "retain", "rounded", "relearned", "control"}
    assert len(found["relearned"]["answer"]) == len(found["control"]["answer"]) == len(SETS["forget"]) // 2


def test_relearning_teaches_one_half_and_asks_the_other(models, monkeypatch):
    lessons = []

    def note(model, samples, n_steps, **options):
        lessons.append(([item["input_ids"] for item in samples], n_steps, options))

    monkeypatch.setattr("npo_tutorial.language.evaluation.measuring.teach", note)
    found = ask(models["before"], TOKENIZER, SETS, relearning_steps=7, learning_rate=1e-3, **OPTIONS)
    halves = [SETS["forget"][::2], SETS["retain"][::4][:4]]
    assert [lesson for lesson, *_ in lessons] == [
        [item["input_ids"] for item in encode(half, TOKENIZER)] for half in halves
    ]
    assert all(rest == [7, {"learning_rate": 1e-3, "seed": 0}] for _, *rest in lessons)
    # nothing was taught, so the other half is answered as before
    assert found["relearned"]["logp_per_token"] == found["forget"]["logp_per_token"][1::2]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_a_model_with_an_adapter_is_taught_like_the_model_that_it_is():
    model = with_adapter()
    plain = copy.deepcopy(model).merge_and_unload()
    options = OPTIONS | {"relearning_steps": 3, "learning_rate": 1e-2}
    found, expected = (ask(x, TOKENIZER, SETS, **options)["relearned"]["logp_per_token"] for x in (model, plain))
    assert found == pytest.approx(expected, abs=1e-4)


def test_teaching_raises_the_log_probability_of_what_is_taught():
    model = make_model().float().eval()
    samples = encode(RECORDS[:4], TOKENIZER)
    first = ask(model, TOKENIZER, {"forget": RECORDS[:4]}, **OPTIONS)["forget"]["logp_per_token"]
    teach(model, samples, 100, learning_rate=1e-2)
    after = ask(model, TOKENIZER, {"forget": RECORDS[:4]}, **OPTIONS)["forget"]
    assert not model.training
    assert max(first) < -3 < -0.5 < min(after["logp_per_token"])
    assert after["answer"] == [record["response"] for record in RECORDS[:4]]


# ----- rounding


def test_a_group_of_weights_has_16_values_and_none_moves_by_more_than_half_a_step():
    model = make_model().float()
    rounded = round_weights(model, group=8)
    names = {name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)} - {"lm_head"}
    assert len(names) == 2 * 7
    for (name, old), new in zip(model.named_modules(), rounded.modules(), strict=True):
        if name in names:
            groups = zip(old.weight.reshape(-1, 8), new.weight.reshape(-1, 8), strict=True)
            for before, after in groups:
                step = (before.max() - before.min()) / 15
                assert (before - after).abs().max() <= step / 2 * 1.001
                # each is a whole number of steps above the least
                steps = (after - before.min()) / step
                assert (steps - steps.round()).abs().max() < 1e-3
        elif getattr(old, "weight", None) is not None:
            assert torch.equal(old.weight, new.weight), name


def test_rounding_to_many_bits_changes_little_and_a_group_of_equal_weights_not_at_all():
    model = make_model().float()
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.fill_(0.3)
    torch.testing.assert_close(parameters(round_weights(model, bits=16)), parameters(model), rtol=0, atol=1e-4)
    rounded = round_weights(model)
    assert torch.equal(rounded.model.layers[0].mlp.up_proj.weight, model.model.layers[0].mlp.up_proj.weight)
    assert not torch.equal(parameters(rounded), parameters(model))


def test_symmetric_levels_are_whole_multiples_of_a_step():
    model = make_model().float()
    rounded = round_weights(model, bits=3, group=8, symmetric=True)
    for old, new in zip(rounded_layers(model), rounded_layers(rounded), strict=True):
        for before, after in zip(old.weight.reshape(-1, 8), new.weight.reshape(-1, 8), strict=True):
            # -3 to 3
            steps = after / (before.abs().max() / 3)
            torch.testing.assert_close(steps, steps.round().clamp(-3, 3), rtol=0, atol=1e-3)
            assert (before - after).abs().max() <= before.abs().max() / 6 * 1.001


def test_what_was_trained_after_a_rounding_is_not_taken_back():
    """A model from a file with 4 bits, and small steps since."""
    torch.manual_seed(0)
    origin = round_weights(make_model().float())
    model = copy.deepcopy(origin)
    with torch.no_grad():
        for layer in rounded_layers(model):
            # a step is some fifty times as long
            layer.weight.add_(1e-4 * torch.randn_like(layer.weight))
    with pytest.warns(
        UserWarning, match=r"already close to the levels for bits=4 \(on average 0\.\d+ of a step away\)"
    ):
        back = round_weights(model, symmetric=False)
    torch.testing.assert_close(parameters(back), parameters(origin), rtol=0, atol=6e-4)
    # of its own accord it chooses other levels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rounded = round_weights(model)
    assert torch.equal(parameters(rounded), parameters(round_weights(model, symmetric=True)))
    assert (parameters(rounded) - parameters(origin)).abs().max() > 2e-3


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_is_rounded_with_the_weights_below_it():
    model = with_adapter()
    rounded = round_weights(model)
    assert not hasattr(rounded, "peft_config") or not any("lora" in name for name, _ in rounded.named_parameters())
    layer = rounded.model.layers[0].self_attn.q_proj.weight
    assert all(len(row.unique()) <= 16 for row in layer)
    assert any("lora" in name for name, _ in model.named_parameters())


# ----- bad input

WRONG = {
    "no control": ({"forget": RECORDS[:4]}, "relearning_steps needs 'retain' in sets, of which records are taught"),
    "too few": ({"forget": RECORDS[:3], "retain": RECORDS[3:]}, "forget must have at least 4 records for relearning"),
    "too few as a control": ({"forget": RECORDS[:8], "retain": RECORDS[8:11]}, "retain must have at least 4 records"),
}


@pytest.mark.parametrize("options", [{"bits": 0}, {"group": 0}, {"bits": 1, "symmetric": True}])
def test_levels_that_do_not_exist_are_named(options):
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"{name} must be .*, got {options[name]}"):
        round_weights(make_model().float(), **options)


def test_one_bit_has_the_least_and_the_greatest_weight():
    # in groups of two each weight is one of them
    model = make_model().float()
    with pytest.warns(UserWarning, match="close to the levels for bits=1"):
        rounded = round_weights(model, bits=1, group=2)
    torch.testing.assert_close(parameters(rounded), parameters(model))


@pytest.mark.parametrize("case", WRONG)
def test_what_relearning_needs_is_said(case):
    sets, message = WRONG[case]
    with pytest.raises(ValueError, match=f"^{message}"):
        ask(make_model(), TOKENIZER, sets, relearning_steps=1)
