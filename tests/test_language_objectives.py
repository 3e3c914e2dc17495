"""language/objectives.py: losses and gradients against formulas of the papers and of other people's codes.

The formulas of other codes are written down here from reading them: open-unlearning
(github.com/locuslab/open-unlearning, src/trainer), G-effect (github.com/tmlr-group/G-effect, dataloader.py) and TRL's
DPOTrainer.
"""

import re
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, logsigmoid, one_hot

from npo_tutorial.language import OBJECTIVES, Objective, precompute_reference
from npo_tutorial.language.batches import pad
from tests.tiny_language import make_datasets, make_model, make_trainer, other_model, parameters

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    """Forget samples with references, and retain samples."""
    forget, retain = make_datasets(chosen=True)
    return precompute_reference(make_model(), forget), retain


@pytest.fixture
def ours(tmp_path, data):
    """Loss and gradient of one step of NPOTrainer, for all samples, in two micro-batches."""

    def compute(micro=2, **options):
        model = other_model()
        options = {"retain_dataset": data[1]} | options
        trainer = make_trainer(tmp_path, model, data[0], per_device_train_batch_size=4 // micro, **options)
        batches = list(trainer.get_train_dataloader())
        count = trainer._get_num_items_in_batch(batches, "cpu")
        losses = [trainer.compute_loss(model.train(), batch, num_items_in_batch=count) for batch in batches]
        sum(losses).backward()
        return sum(losses).detach(), torch.cat([p.grad.flatten() for p in model.parameters()])

    return compute


class Theirs:
    """Logits of model and reference for a batch, as the other codes compute them."""

    def __init__(self, samples, prefix=""):
        self.model = other_model()
        batch = pad([(x[f"{prefix}input_ids"], x[f"{prefix}labels"]) for x in samples])
        self.labels = batch.pop("labels")[:, 1:]
        self.batch = batch

    def logits(self, model):
        return model(**self.batch).logits[:, :-1]

    def nll(self, model):
        """Negative log-likelihood of each token, 0 where none counts."""
        return cross_entropy(self.logits(model).transpose(-1, -2), self.labels, reduction="none")


@pytest.fixture
def theirs(data):
    """Forget, preferred and retain batches of one model."""
    forget, chosen, retain = Theirs(data[0]), Theirs(data[0], "chosen_"), Theirs(data[1])
    chosen.model = retain.model = forget.model
    return forget, chosen, retain


def log_ratio(batch):
    """log π_θ − log π_ref of each response; references are kept in float32."""
    with torch.no_grad():
        ref_logp = -batch.nll(make_model()).sum(-1).float()
    return -batch.nll(batch.model).sum(-1) - ref_logp


def mean_over_tokens(batch, values):
    return values[batch.labels != -100].mean()


def check(found, loss, model):
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    largest = gradient.abs().max().item()
    assert largest > 0
    torch.testing.assert_close(found[0], loss.detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(found[1], gradient, rtol=1e-5, atol=1e-7 * largest)


# the table of the page "large-models" -------------------------------------------------------------------------------
GAMMA, ALPHA, BETA, DELTA = 0.7, 1.3, 0.4, 0.3
SYMBOLS = {"β": BETA, "βδ": BETA * DELTA, "γ": GAMMA, "2γ": 2 * GAMMA, "α": ALPHA}
PAGES = [Path(__file__).parents[1] / f"book/{language}/large-models.md" for language in ("en", "zh")]


def rows(page):
    """The options in the right column, by the first name in the left one."""
    table = page.read_text("utf-8").partition("sec-options)=")[2].partition("\n\n-")[0]
    found = re.findall(r"^\| (.*?) \| `(--.*?)` \|$", table, re.MULTILINE)
    return {re.findall(r"`(.*?)`", left)[0]: right for left, right in found}


TABLE = rows(PAGES[0])


def option(words):
    name, value = words.split()
    return name.replace("-", "_"), SYMBOLS.get(value, value)


def page(*names):
    """The options of rows of the page; those of a later row do not replace those of an earlier one."""
    found = [dict(option(words) for words in TABLE[name].split("--")[1:]) for name in names]
    return {key: value for options in reversed(found) for key, value in options.items()}


def test_both_pages_have_one_table():
    assert rows(PAGES[1]) == TABLE
    assert list(TABLE) == [
        *("GradAscent", "NPO", "SimNPO", "DPO", "WGA", "UNDIAL", "gamma", 'loss_type="sigmoid"'),
    ]


# open-unlearning -----------------------------------------------------------------------------------------------------
# their gamma and alpha weight the forget loss and the retain term; retain_loss_type="NLL" is a mean over all tokens
def their_retain_term(retain):
    return ALPHA * mean_over_tokens(retain, retain.nll(retain.model))


def their_dpo(lose, win=None):
    """-2/β log σ(β(log-ratio of the preferred answer − log-ratio of the other one)); NPO has no preferred answer."""
    margin = (0.0 if win is None else log_ratio(win)) - log_ratio(lose)
    return -2 / BETA * logsigmoid(BETA * margin).mean()


def test_grad_ascent_and_grad_diff_of_open_unlearning(ours, theirs):
    forget, _, retain = theirs
    loss = -GAMMA * mean_over_tokens(forget, forget.nll(forget.model)) + their_retain_term(retain)
    check(ours(**page("GradAscent", "gamma")), loss, forget.model)


def test_grad_ascent_alone(ours, theirs):
    forget, *_ = theirs
    loss = -mean_over_tokens(forget, forget.nll(forget.model))
    check(ours(**page("GradAscent"), retain_dataset=None), loss, forget.model)


def test_npo_of_open_unlearning(ours, theirs):
    forget, _, retain = theirs
    loss = GAMMA * their_dpo(forget) + their_retain_term(retain)
    check(ours(**page("NPO", "gamma")), loss, forget.model)


def test_dpo_of_open_unlearning_has_twice_our_factor(ours, theirs):
    forget, chosen, retain = theirs
    loss = GAMMA * their_dpo(forget, chosen) + their_retain_term(retain)
    check(ours(**page("DPO", "gamma")), loss, forget.model)


def test_simnpo_of_open_unlearning_has_a_margin_in_nats(ours, theirs):
    forget, _, retain = theirs
    per_token = forget.nll(forget.model).sum(-1) / (forget.labels != -100).sum(-1)
    loss = GAMMA * -2 / BETA * logsigmoid(BETA * (per_token - DELTA)).mean() + their_retain_term(retain)
    check(ours(**page("SimNPO", "gamma")), loss, forget.model)


def test_wga_of_open_unlearning_and_of_its_authors(ours, theirs):
    forget, _, retain = theirs
    nll = forget.nll(forget.model)
    loss = GAMMA * mean_over_tokens(forget, -((-nll).exp().detach() ** BETA) * nll) + their_retain_term(retain)
    check(ours(**page("WGA", "gamma")), loss, forget.model)


def test_tnpo_of_its_authors_has_our_gradient(ours, theirs):
    forget, *_ = theirs
    nll = forget.nll(forget.model)
    with torch.no_grad():
        ref_nll = forget.nll(make_model())
    p, q = (-nll).exp().detach() ** BETA, (-ref_nll).exp() ** BETA
    # they add 1e-5 to the denominator, and minimise the weight, a constant, times log p: the value differs
    loss = mean_over_tokens(forget, -2 * p / (p + q + 1e-5) * nll)
    loss.backward()
    _, gradient = ours(loss="tnpo", beta=BETA, forget_reduction="tokens", retain_dataset=None)
    expected = torch.cat([x.grad.flatten() for x in forget.model.parameters()])
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4)


def their_undial(batch, beta, where):
    """Cross-entropy against softmax(teacher's logits − β·onehot(token)), averaged over the positions `where`."""
    with torch.no_grad():
        teacher = batch.logits(make_model())
    lowered = teacher - beta * one_hot(batch.labels.clamp(min=0), teacher.shape[-1])
    each = cross_entropy(
        batch.logits(batch.model).transpose(-1, -2), lowered.softmax(-1).transpose(-1, -2), reduction="none"
    )
    return each[where].mean()


def test_undial_is_a_mean_over_the_tokens_of_responses(ours, theirs):
    forget, _, retain = theirs
    loss = GAMMA * their_undial(forget, BETA, forget.labels != -100) + their_retain_term(retain)
    found = ours(**page("UNDIAL", "gamma"), ref_model=make_model())
    check(found, loss, forget.model)


def test_undial_of_open_unlearning_counts_prompt_and_padding_as_well(tmp_path):
    # ... so it is ours where there is neither
    responses = ([65, 66, 67, 1], [68, 69, 70, 1])
    samples = [{"input_ids": [0, *tokens], "labels": [-100, *tokens]} for tokens in responses]
    batch = Theirs(samples)
    assert (batch.labels != -100).all()
    loss = their_undial(batch, BETA, ...)
    model = other_model()
    trainer = make_trainer(tmp_path, model, samples, **page("UNDIAL"), ref_model=make_model())
    (inputs,) = trainer.get_train_dataloader()
    value = trainer.compute_loss(model, inputs)
    value.backward()
    check((value.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])), loss, batch.model)


@pytest.mark.parametrize("reduction", ["tokens", "samples"])
@pytest.mark.parametrize("micro", [1, 2, 4])
def test_reductions_do_not_depend_on_micro_batches(ours, theirs, reduction, micro):
    forget, _, retain = theirs
    nll, lengths = retain.nll(retain.model), (retain.labels != -100).sum(-1)
    assert len(set(lengths.tolist())) > 2
    term = mean_over_tokens(retain, nll) if reduction == "tokens" else (nll.sum(-1) / lengths).mean()
    loss = -forget.nll(forget.model).sum(-1).mean() + 0.6 * term
    found = ours(micro, loss="ga", retain_weight=0.6, retain_reduction=reduction)
    check(found, loss, forget.model)


@pytest.mark.parametrize("term", ["kl_ref_model", "kl_model_ref"])
def test_kl_divergences_are_means_over_the_tokens_of_responses(ours, theirs, term):
    # open-unlearning's retain_loss_type="KL" averages over prompts, padding and the last position as well
    forget, _, retain = theirs
    model = retain.logits(retain.model).log_softmax(-1)
    with torch.no_grad():
        ref = retain.logits(make_model()).log_softmax(-1)
    # kl_div(input, target) is KL(target‖input)
    of_input, of_target = (model, ref) if term == "kl_ref_model" else (ref, model)
    each = torch.nn.functional.kl_div(of_input, of_target, reduction="none", log_target=True).sum(-1)
    loss = -forget.nll(forget.model).sum(-1).mean() + ALPHA * mean_over_tokens(retain, each)
    options = {"retain_term": term, "retain_weight": ALPHA, "retain_reduction": "tokens", "ref_model": make_model()}
    check(ours(loss="ga", **options), loss, forget.model)


# TRL -----------------------------------------------------------------------------------------------------------------


def test_dpo_of_trl_has_no_factor(ours, theirs):
    # loss_type="sigmoid": −log σ(β(log-ratio of chosen − log-ratio of rejected)), mean over samples
    forget, chosen, _ = theirs
    loss = -logsigmoid(BETA * (log_ratio(chosen) - log_ratio(forget))).mean()
    check(ours(**page('loss_type="sigmoid"'), retain_dataset=None), loss, forget.model)


def test_sft_of_trl_is_the_cross_entropy_of_the_preferred_answers(tmp_path, data, theirs):
    # loss_type=["sigmoid", "sft"] with loss_weights=[1, α]: a mean over all tokens of the chosen answers is added
    forget, chosen, _ = theirs
    loss = -logsigmoid(BETA * (log_ratio(chosen) - log_ratio(forget))).mean()
    loss = loss + ALPHA * mean_over_tokens(chosen, chosen.nll(chosen.model))
    answers = [{"input_ids": x["chosen_input_ids"], "labels": x["chosen_labels"]} for x in data[0]]
    model = other_model()
    options = {"retain_dataset": answers, "retain_weight": ALPHA, "retain_reduction": "tokens"}
    trainer = make_trainer(tmp_path, model, data[0], loss="dpo", beta=BETA, forget_weight=BETA, **options)
    (inputs,) = trainer.get_train_dataloader()
    value = trainer.compute_loss(model, inputs)
    value.backward()
    check((value.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])), loss, forget.model)


# a loss of one's own -------------------------------------------------------------------------------------------------


def test_a_function_is_a_loss(ours, theirs):
    # SatImp of open-unlearning, as printed on the page: the weight p^β₁ (1 − p)^β₂ for each token
    for place in PAGES:
        (code,) = re.findall(r"(?<=```python\n)def satimp.*?(?=\n\n)", place.read_text("utf-8"), re.DOTALL)
        exec(code, namespace := {})
    forget, *_ = theirs
    nll = forget.nll(forget.model)
    p = (-nll).exp().detach()
    each = -(p**5 * (1 - p)) * nll
    objective = Objective("satimp", namespace["satimp"], per_token=True)
    loss = mean_over_tokens(forget, each)
    check(ours(objective=objective, forget_reduction="tokens", retain_dataset=None), loss, forget.model)


def test_a_function_may_be_given_as_it_is(ours, theirs, data):
    forget, *_ = theirs
    refs = torch.tensor([x["ref_logp"] for x in data[0]])
    loss = (-forget.nll(forget.model).sum(-1) - refs).square().mean()
    check(ours(objective=lambda x: (x.logp - x.ref_logp).square(), retain_dataset=None), loss, forget.model)


def test_objectives_are_checked(tmp_path, data):
    forget, _ = data
    with pytest.raises(TypeError, match="objective must be an Objective or a function of Responses, got str"):
        make_trainer(tmp_path, make_model(), forget, objective="npo")
    with pytest.raises(ValueError, match=r"objective\.needs must be among ref_logp, ref_token_logp, chosen, ref_l"):
        make_trainer(tmp_path, make_model(), forget, objective=Objective("a", lambda x: x.logp, needs=("logits",)))
    with pytest.raises(ValueError, match=r"beta must be left out with loss='f', which has none, got 0\.1"):
        make_trainer(tmp_path, make_model(), forget, objective=Objective("f", lambda x: x.logp), beta=0.1)
    trainer = make_trainer(tmp_path, make_model(), forget, objective=lambda x: x.logp.mean())
    with pytest.raises(ValueError, match=re.escape("objective must return 4 losses, got shape ()")):
        trainer.train()


def test_every_objective_says_where_it_comes_from():
    for name, objective in OBJECTIVES.items():
        assert name == objective.name == name.lower()
        assert re.fullmatch(r"arXiv:\d{4}\.\d{5}", objective.source)
        assert objective.title and objective.convention


def test_wga_without_its_power_is_gradient_ascent(ours):
    wga, ga = ours(loss="wga", beta=1e-12), ours(loss="ga")
    torch.testing.assert_close(wga, ga, rtol=1e-9, atol=1e-9)


def test_tnpo_of_one_token_is_npo(tmp_path):
    # without the end of the sequence every response is one token
    samples = [
        dict(x, labels=[-100] * (len(x["labels"]) - 2) + x["labels"][-2:-1] + [-100]) for x in make_datasets()[0]
    ]
    precompute_reference(make_model(), samples)
    found = []
    for loss in ("tnpo", "npo"):
        model = other_model()
        trainer = make_trainer(tmp_path, model, samples, loss=loss, beta=0.7, max_steps=2)
        trainer.train()
        found.append(parameters(model))
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)
