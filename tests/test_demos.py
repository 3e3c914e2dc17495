"""demos/: what each demo draws and says, at points of its grid, checked against an independent computation."""

import base64
import gzip
import itertools
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from unittest import mock

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.stats import ks_2samp, norm
from sklearn.linear_model import LogisticRegression

from npo_tutorial import (
    classifier_logp,
    digits_split,
    gradient_descent,
    logistic_gradient,
    loss_gradient,
    npo_gap,
    npo_loss,
    npo_weight,
    results,
    synthetic,
    unlearn,
)
from npo_tutorial import demos as package
from npo_tutorial.explore import Explorer, Grid, Marker, Path, Points, explore
from npo_tutorial.theory import divergence_bounds
from tests import plain_synthetic
from tests.book.glossary import AVOIDED, SLIPS
from tests.conftest import nightly


def of(name):
    """`demo` keeps what it made in this process: one worker should do it."""
    return pytest.mark.xdist_group(f"demo {name}")


EVERY_DEMO = pytest.mark.parametrize("name", [pytest.param(name, marks=of(name)) for name in package.__all__])
MOST_BYTES = 40_000


@dataclass(frozen=True)
class Demo:
    widget: Explorer
    draw: object
    x: np.ndarray
    options: dict

    @property
    def grids(self):
        return {name: option.values for name, option in self.options.items() if isinstance(option, Grid)}

    def points(self):
        """All grid points: index and values."""
        for index in itertools.product(*(range(len(values)) for values in self.grids.values())):
            chosen = ((name, values[i]) for (name, values), i in zip(self.grids.items(), index, strict=True))
            yield index, {name: value if isinstance(value, str) else float(value) for name, value in chosen}

    def some_points(self, rng, count=10):
        every = list(self.points())
        return [every[k] for k in rng.choice(len(every), size=min(count, len(every)), replace=False)]


@cache
def demo(name):
    function = getattr(package, name)
    with mock.patch.object(sys.modules[function.__module__], "explore", wraps=explore) as called:
        widget = function()
    (draw, x), options = called.call_args.args, called.call_args.kwargs
    return Demo(widget, draw, x, options)


def assert_drawn(drawn, expected, *, log=False):
    """Equal to the precision of the state: 16 bits of the range of each curve, on the scale of its axis."""
    drawn, expected = np.asarray(drawn), np.asarray(expected, float)
    if log:
        drawn, expected = np.log10(drawn), np.log10(expected)
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=np.ptp(expected) / 130_000 + 1e-12)


def sigmoid(z):
    return float(1 / (1 + mp.exp(-z)))


@EVERY_DEMO
def test_state_is_light_and_what_the_function_returned(name, rng):
    made = demo(name)
    state = made.widget.chart | {
        trait: base64.b64encode(getattr(made.widget, trait)).decode() for trait in ("numbers", "ranges")
    }
    size = len(gzip.compress(json.dumps(state, ensure_ascii=False).encode()))
    assert size <= MOST_BYTES, f"the state of a demo has at most {MOST_BYTES} bytes (gzip), {name} has {size}"
    panels = [(made.draw, made.x, made.options)]
    if beside := made.options.get("beside"):
        panels.append((beside.fn, np.asarray(beside.x), vars(beside)))
    for index, values in made.some_points(rng, 5):
        for panel, (draw, x, options) in enumerate(panels):
            drawn, returned = made.widget.drawn(list(index), panel=panel), draw(x, **values)
            assert list(drawn) == list(returned)
            for label, curve in returned.items():
                scale_x, scale_y = (options.get(f"{axis}_scale") == "log" for axis in "xy")
                if isinstance(curve, (Points, Path)):
                    assert_drawn(drawn[label].x, curve.x, log=scale_x)
                    assert_drawn(drawn[label].y, curve.y, log=scale_y)
                elif isinstance(curve, Marker):
                    assert np.isclose(drawn[label].x, curve.x)
                else:
                    assert_drawn(drawn[label], curve, log=scale_y)


@EVERY_DEMO
def test_texts_exist_in_both_languages_and_are_well_set(name):
    made = demo(name)
    texts = [made.options[key] for key in ("title", "x_label", "y_label")]
    texts += made.options.get("labels", {}).values()
    texts += [option.label for option in made.options.values() if isinstance(option, Grid)]
    texts = [{"en": text, "zh": text} if isinstance(text, str) else text for text in texts]
    sentences = [made.options["say"](**values) for _, values in made.points()]
    for text in texts + sentences:
        both = set(text) == {"en", "zh"} and all(text.values())
        assert both, f"demos.{name}: every text is in English and in Chinese, got {text}"
        for what, pattern in SLIPS.items():
            assert not re.search(pattern, text["zh"]), f"demos.{name}: {what}: {text['zh']}"
        avoided, chinese = AVOIDED.search(text["zh"]), re.search("[\u3400-\u9fff，。：；]", text["en"])
        assert not avoided, f"demos.{name}: book/glossary.yml avoids {avoided[0]}, got {text['zh']}"
        assert not chinese, f"demos.{name}: an English text has no Chinese sign, got {text['en']}"
    for sentence in sentences:
        whole = sentence["en"].endswith(".") and sentence["zh"].endswith("。")
        assert whole, f"demos.{name} says whole sentences, got {sentence}"
        numbers = {language: re.findall(r"\d+(?:\.\d+)?", text) for language, text in sentence.items()}
        for number in numbers["en"] + numbers["zh"]:
            digits = number.replace(".", "").lstrip("0")
            short = len(digits) <= 3 or (float(number) >= 1000 and "." not in number)
            assert short, f"demos.{name} says numbers of three digits, got {number} in {sentence}"
        # one language may repeat or omit a number of the formula, but neither has a number that the other lacks
        same = set(numbers["en"]) == set(numbers["zh"])
        assert same, f"demos.{name} says the same numbers in both languages, got {sentence}"
        raw = re.search(r"nan|inf\b|\d-|[( ]-\d|e[+-]\d", "".join(sentence.values()))
        assert not raw, f"demos.{name} says numbers as a book writes them, got {raw[0]} in {sentence}"


@of("dpo_margin")
def test_dpo_margin(rng):
    made = demo("dpo_margin")
    for index, values in made.some_points(rng):
        beta, v = values["beta"], values["v"]
        loss, weight, point = made.widget.drawn(list(index)).values()
        exact = [(mp.log(1 + mp.exp(-beta * x)) - mp.log(2)) / beta for x in (*made.x, v)]
        assert_drawn(loss, exact[:-1])
        assert_drawn(weight, [sigmoid(-beta * x) for x in made.x])
        assert point.x == pytest.approx([v, v], abs=1e-4)
        assert point.y == pytest.approx([float(exact[-1]), sigmoid(-beta * v)], abs=1e-4)
        said = made.options["say"](**values)["en"]
        assert f"σ(−βv) = {sigmoid(-beta * v):.2f}. " in said
        assert ("worse" in said, "better" in said) == (v < 0, v > 0)
        settled = float(re.search(r"at v = ([\d.]+)\.$", said)[1])
        assert sigmoid(-beta * settled) == pytest.approx(0.1, rel=5e-3)
        # the drawn weight is the slope of the drawn loss
        np.testing.assert_allclose(-np.gradient(loss, made.x)[1:-1], weight[1:-1], atol=0.05)


@of("dpo_to_npo")
def test_dpo_to_npo(rng):
    made = demo("dpo_to_npo")
    for index, values in made.some_points(rng):
        beta, u_chosen = values["beta"], values["u_chosen"]
        dpo, doubled, npo, start = made.widget.drawn(list(index)).values()
        exact = [mp.log(1 + mp.exp(beta * (u - u_chosen))) / beta for u in (*made.x, 0)]
        assert_drawn(dpo, exact[:-1])
        assert_drawn(doubled, [2 * y for y in exact[:-1]])
        assert_drawn(npo, [2 * mp.log(1 + mp.exp(beta * u)) / beta for u in made.x])
        assert start.y == pytest.approx([float(2 * exact[-1]), 2 * np.log(2) / beta], rel=1e-4, abs=1e-4)
        pushed = -2 * loss_gradient(lambda r, b=beta, c=u_chosen: package_dpo(r, b, c), np.array([-20.0]))[0]
        assert f"{-pushed:.2f}" in made.options["say"](**values)["en"]
    frozen = made.draw(made.x, beta=0.5, u_chosen=0.0)
    np.testing.assert_allclose(frozen["2·DPO"], frozen["NPO"], rtol=1e-12)


def package_dpo(rejected, beta, u_chosen):
    """The DPO loss as a formula in torch, with the reference at −20 nats."""
    return torch.nn.functional.softplus(beta * (rejected + 20 - u_chosen)).mean() / beta


@of("beta_to_zero")
def test_beta_to_zero(rng):
    made = demo("beta_to_zero")
    mp.mp.dps = 30
    for index, values in made.some_points(rng):
        beta, u = values["beta"], values["u"]
        npo, ga, points = made.widget.drawn(list(index)).values()
        exact = [2 * mp.log((1 + mp.exp(mp.mpf(beta) * x)) / 2) / beta for x in (*made.x, u)]
        assert_drawn(npo, exact[:-1])
        assert_drawn(ga, made.x)
        assert points.y == pytest.approx([float(exact[-1]), u], abs=1e-3)
        if u:
            gap, prediction = float(exact[-1] - mp.mpf(u)), beta / 4 * u**2
            said = made.options["say"](**values)["en"].replace("−", "-")
            assert float(re.search(r"lies ([\d.]+) nats", said)[1]) == pytest.approx(gap, rel=6e-3)
            assert float(re.search(r"u² = ([\d.]+)", said)[1]) == pytest.approx(prediction, rel=6e-3)
    for u in (-20.0, 5.0):
        gaps = [npo_gap([u], beta=beta) for beta in made.grids["beta"]]
        assert (np.diff(gaps) > 0).all()
        assert gaps[0] < 0.11


@of("adaptive_weight")
def test_adaptive_weight(rng):
    made = demo("adaptive_weight")

    def gradients(beta, u):
        """By autograd, with respect to the two margins of the logistic model."""
        margins = np.array([-40.0, -np.log(2 * np.exp(-u) - 1)])
        ref = torch.full((2,), -np.log(2), dtype=torch.float64)
        log_sigmoid = torch.nn.functional.logsigmoid
        npo = loss_gradient(lambda m: npo_loss(log_sigmoid(m), ref, beta=beta), margins)
        return npo, loss_gradient(lambda m: log_sigmoid(m).mean(), margins)

    for index, values in made.some_points(rng):
        beta, u = values["beta"], values["u"]
        weight, ga_norm, npo_norm, at = made.widget.drawn(list(index)).values()
        assert_drawn(weight, [2 * sigmoid(beta * x) for x in made.x])
        expected = np.array([[np.linalg.norm(each) for each in gradients(beta, x)] for x in made.x[::8]])
        np.testing.assert_allclose(npo_norm[::8], expected[:, 0], atol=1e-4)
        np.testing.assert_allclose(ga_norm[::8], expected[:, 1], atol=1e-4)
        w = [2 * sigmoid(beta * (-40 + np.log(2))), 2 * sigmoid(beta * u)]
        npo, ga = gradients(beta, u)
        share = np.linalg.norm(npo) / np.linalg.norm(ga)
        assert at.y == pytest.approx([w[1], np.linalg.norm(ga), np.linalg.norm(npo)], abs=1e-4)
        assert f"‖∇NPO‖ is {share:.2f} of ‖∇GA‖" in made.options["say"](**values)["en"]
        assert f"largest weight is {max(w):.2f}" in made.options["say"](**values)["en"]
        # orthogonal samples: the largest weight bounds the ratio of the norms
        both = np.maximum(weight, w[0])
        assert (npo_norm <= both * ga_norm + 1e-4).all()
    # the chapter's counterexample
    assert "‖∇NPO‖ is 0.45 of ‖∇GA‖: a single weight that is not small" in made.options["say"](beta=1, u=0.0)["en"]
    assert "‖∇NPO‖ is 0.00 of ‖∇GA‖: small, because both" in made.options["say"](beta=1, u=-20.0)["en"]


def by_autograd(beta, n_steps):
    """The softmax policy, each step with torch's gradient of the loss with respect to the logits."""
    z, path = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log(), []
    ref = z[:1].clone()
    for _ in range(n_steps + 1):
        path.append(z.softmax(0).numpy())
        z = z.detach().requires_grad_()
        logp = z.log_softmax(0)[:1]
        loss = logp.mean() if beta is None else npo_loss(logp, ref, beta=beta)
        loss.backward()
        z = (z - 0.25 * z.grad).detach()
    return np.array(path)


@of("softmax_policy")
def test_softmax_policy(rng):
    made = demo("softmax_policy")
    ga = by_autograd(None, 60)
    for index, values in made.some_points(rng):
        npo = by_autograd(values["beta"], 60)
        drawn = made.widget.drawn(list(index))
        t = int(values["t"])
        for k, answer in ((0, "₁"), (2, "₃")):
            assert_drawn(drawn[f"GA π{answer}"], ga[:, k])
            assert_drawn(drawn[f"NPO π{answer}"], npo[:, k])
        assert drawn["t"].x == pytest.approx(np.full(4, t))
        assert drawn["t"].y == pytest.approx([*ga[t, [0, 2]], *npo[t, [0, 2]]], abs=1e-4)
        said = ", ".join(f"{p:.2f}" for p in npo[t])
        assert f"β = {values['beta']:g}: {said}." in made.options["say"](**values)["en"]
        assert ("lowered answer 3" in made.options["say"](**values)["en"]) == (ga[t, 2] < 0.05)
    # GA drags the third answer down too, NPO keeps most of it
    assert ga[60, 2] < 1e-4
    assert by_autograd(1.0, 60)[60, 2] > 0.08


@of("divergence")
def test_divergence(rng):
    made = demo("divergence")

    def distance(beta, step_size, n):
        """Orthonormal rows and equal margins: all samples move alike, so one number follows one recursion."""
        m, ref, path = 1.0, -np.log1p(np.exp(-1.0)), []
        for _ in range(10_000):
            h = 1 / (1 + np.exp(m))
            m -= step_size / n * h * (1 if beta is None else 2 / (1 + np.exp(beta * (ref + np.logaddexp(0, -m)))))
            path.append(1 - m)
        return np.sqrt(n) * np.array(path)

    for index, values in made.some_points(rng, 4):
        beta, step_size, n = values.values()
        drawn, at = made.widget.drawn(list(index)), made.x.astype(int) - 1
        ga, npo = distance(None, step_size, n), distance(beta, step_size, n)
        np.testing.assert_allclose(drawn["GA"], ga[at], rtol=1e-3)
        np.testing.assert_allclose(drawn["NPO"], npo[at], rtol=1e-3)
        options = {"loss": "npo", "beta": beta, "step_size": step_size}
        start = np.eye(int(n)), np.ones(int(n)), np.ones(int(n))
        for name, sharp in {"NPO uniform": False, "NPO sharp": True}.items():
            bounds = divergence_bounds(*start, **options, sharp=sharp)
            np.testing.assert_allclose(drawn[name].lo, bounds.lower(at + 1), rtol=1e-3)
            np.testing.assert_allclose(drawn[name].hi, bounds.upper(at + 1), rtol=1e-3)
        assert drawn["GA uniform"].lo == pytest.approx(
            divergence_bounds(*start, loss="ga", step_size=step_size, sharp=False).lower(at + 1), rel=1e-3
        )
        said = made.options["say"](**values)["en"]
        (lo, hi), (sharp_lo, sharp_hi) = re.findall(r"between ([\d.]+) and ([\d.]*\d)", said)
        assert float(lo) < float(sharp_lo) <= npo[9999] <= float(sharp_hi) < float(hi)
        added = float(re.search(r"added ([\d.]+) to", said)[1])
        assert added == pytest.approx(npo[9999] - npo[999], rel=6e-3)
        assert f"{np.sqrt(n) / beta * np.log(10):.3g}" in said
    for _, values in made.points():
        ga, npo, *bands = made.draw(made.x, **values).values()
        for band, run in zip(bands, (ga, npo, npo), strict=True):
            assert (band.lo <= run).all() and (run <= band.hi).all()
        # a line
        rate = values["step_size"] / np.sqrt(values["n"])
        assert np.gradient(ga, made.x)[-1] == pytest.approx(rate, rel=0.01)
        assert npo[-1] < ga[-1] / 3
    # NPO approaches a growth of (√n/β) log 10 per decade, sooner for larger η/n
    for beta, n in itertools.product(made.grids["beta"], made.grids["n"]):
        decades = []
        for step_size in made.grids["step_size"]:
            npo = made.draw(made.x, beta=beta, step_size=step_size, n=n)["NPO"]
            decades.append((npo[-1] - npo[made.x == 1000].item()) / (np.sqrt(n) / beta * np.log(10)))
        assert (np.diff(decades) < 0).all()
        assert 1 < decades[-1] < 1.15


@of("opposed")
def test_opposed(rng):
    made = demo("opposed")
    early = np.geomspace(0.1, 60, 41)

    def flow(times, c, beta=None):
        """Both margins by an integrator of our own for stiff equations, over log τ."""

        def rates(log_time, m):
            h = 1 / (1 + np.exp(m))
            if beta is not None:
                u = np.logaddexp(0, -start) - np.logaddexp(0, -m)
                h = h * 2 / (1 + np.exp(-beta * u))
            return np.exp(log_time) * np.array([c * h[1] - h[0], c * h[0] - h[1]])

        start = np.array([2.0, 0.0])
        span, options = (np.log(1e-9), np.log(times[-1])), {"rtol": 1e-9, "atol": 1e-9, "t_eval": np.log(times)}
        return solve_ivp(rates, span, start, method="LSODA", **options).y

    for index, values in made.some_points(rng, 8):
        drawn, said = made.widget.drawn(list(index)), made.options["say"](**values)["en"]
        npo, ga = flow(made.x, values["c"], values["beta"]), flow(early, values["c"])
        for k, name in enumerate("₁₂"):
            np.testing.assert_allclose(drawn[f"NPO m{name}"], npo[k], atol=3e-3)
            np.testing.assert_allclose(drawn[f"GA m{name}"].y, ga[k], atol=3e-3)
            np.testing.assert_allclose(drawn[f"GA m{name}"].x, early, rtol=1e-3)
        assert ("NPO learns" in said) == (npo[0, -1] > npo[0, -2])
        assert ("GA learns" in said) == (ga[0, -1] > ga[0, -2])
        assert f"{npo[0, -1]:.1f}".replace("-", "−") in said
    # what the chapter says: c > β decides under NPO, q = σ(−2) = 0.12 under GA
    for _, values in made.points():
        said = made.options["say"](**values)["en"]
        c, beta = values["c"], values["beta"]
        assert ("NPO learns" in said, f"c = {c:g} > β" in said) == (c > beta, c > beta)
        assert (f"c = β = {c:g}" in said, f"c = {c:g} < β" in said) == (c == beta, c < beta)
        assert ("GA learns" in said, "too" in said) == (c > 0.12, (c > beta) == (c > 0.12))


@of("decision_boundary")
def test_decision_boundary(rng):
    made = demo("decision_boundary")
    _, _, *groups = made.draw(made.x, beta=1, t=0.0).values()
    below, above, forget = (np.column_stack([np.ones(len(group.x)), *group]) for group in groups)
    X, y = np.concatenate([below, above, forget]), np.repeat([0, 1, 1], [20, 20, 5])
    start = LogisticRegression(fit_intercept=False).fit(X, y).coef_[0]

    def descend(beta, n_steps):
        theta, options = start, {"loss": "ga"} if beta is None else {"loss": "npo", "beta": beta, "theta_ref": start}
        for _ in range(n_steps):
            theta = theta - 0.1 * logistic_gradient(forget, np.ones(5), theta, **options)
        return theta

    for index, values in made.some_points(rng):
        drawn, t = made.widget.drawn(list(index)), int(values["t"])
        for label, theta in {"GA": descend(None, t), "NPO": descend(values["beta"], t)}.items():
            np.testing.assert_allclose(
                np.column_stack([np.ones(9), made.x, drawn[label]]) @ theta, 0, atol=1e-3 * np.abs(theta).max()
            )
            assert f"x₂ = {-theta[0] / theta[2] + 0.0:.1f}".replace("-", "−") in made.options["say"](**values)["en"]
            accuracy = np.mean((X[:40] @ theta > 0) == y[:40])
            assert f"{accuracy:.0%}" in made.options["say"](**values)["zh"]

    # the qualitative claim, far beyond the drawn steps: θ₀ grows like t or like log(t)/β, the rest converges
    def boundaries(**loss):
        options = {"step_size": 0.1, "n_steps": 100_000, "record": [1000, 10_000, 100_000]}
        theta = gradient_descent(forget, np.ones(5), start, **loss, **options).theta(slice(None))
        return -theta[:, 0], -theta[:, 0] / theta[:, 2]

    shift, height = boundaries(loss="ga")
    assert shift[2] / shift[1] == pytest.approx(10, rel=0.02)
    assert height[2] / height[1] == pytest.approx(10, rel=0.05)
    for beta in (0.5, 1.0):
        shift, height = boundaries(loss="npo", beta=beta)
        assert np.diff(shift) == pytest.approx(np.log(10) / beta, rel=0.1)
        assert np.diff(height)[1] < 2 * np.diff(height)[0]


@of("digits")
def test_digits(rng):
    made = demo("digits")
    split = digits_split((3, 8), n_forget=10, seed=0)
    trained = LogisticRegression(fit_intercept=False).fit(split.X_train, split.y_train)
    forget = split.X_forget, split.y_forget
    for index, values in made.some_points(rng, 4):
        drawn = made.widget.drawn(list(index))
        t, said = int(values["t"]), made.options["say"](**values)["en"]
        for name in ("GA", "NPO"):
            beta = None if name == "GA" else values["beta"]
            options = {"loss": name.lower(), "beta": beta, "step_size": 1.0}
            for k in (0, 25, -1):
                model = unlearn(trained, *forget, n_steps=int(made.x[k]), **options)
                retained, remembered = model.score(split.X_retain, split.y_retain), model.score(*forget)
                assert drawn[f"{name} D_RT"][k] == pytest.approx(retained, abs=1e-4)
                assert drawn[f"{name} D_FG"][k] == pytest.approx(remembered, abs=1e-4)
            model = unlearn(trained, *forget, n_steps=t, **options)
            logp = classifier_logp(model, *forget)
            np.testing.assert_allclose(drawn[f"{name} π"].strength, np.exp(logp), atol=1e-4)
            left = np.sum(logp > -np.log(2))
            assert re.search(rf"\b{left} of ", said)
            assert f"{model.score(split.X_retain, split.y_retain):.0%}" in said


def test_weight_of_dpo_is_half_of_npo_weight():
    v = np.linspace(-5, 5, 11)
    zero = np.full(11, -20.0)
    np.testing.assert_allclose(npo_weight(zero - v, zero, beta=0.7) / 2, [sigmoid(-0.7 * x) for x in v], rtol=1e-14)


# each point is 2000 steps of PyTorch
@pytest.mark.parametrize("count", [2, *nightly(4)])
@of("pareto")
def test_pareto(rng, count):
    made = demo("pareto")
    problem, steps = synthetic.make_problem(1, 0), made.options["beside"].x.astype(int)

    def distances(method, beta, step_size):
        """By plain PyTorch, at the drawn steps."""
        thetas = plain_synthetic.descend(problem, method, beta=beta, step_size=step_size, n_steps=2000)[steps]
        for X in (problem.X_forget_test, problem.X_retain_test):
            logits, retrained = torch.tensor(thetas @ X.T), torch.tensor(X @ problem.theta_retrained)
            yield plain_synthetic.kl(retrained, logits).mean(dim=1).numpy()

    reference = list(distances("GA", None, 5e-4))
    for index, values in made.some_points(rng, count):
        forget, retain = distances(**values)
        plane, over_time = (made.widget.drawn(list(index), panel=panel) for panel in range(2))
        best = forget.argmin()
        for curve, expected in ((plane["run"], (forget, retain)), (plane["GA"], reference)):
            np.testing.assert_allclose([curve.x, curve.y], expected, rtol=1e-3)
        np.testing.assert_allclose(over_time["run"], forget, rtol=1e-3)
        np.testing.assert_allclose(over_time["GA"], reference[0], rtol=1e-3)
        assert [*plane["best"].x, *plane["best"].y] == pytest.approx([forget[best], retain[best]], rel=1e-3)
        assert [*over_time["best"].x, *over_time["best"].y] == pytest.approx([steps[best], forget[best]], rel=1e-3)
        said = made.options["say"](**values)["en"]
        assert f"at step {steps[best]} " in said
        assert ("β" in said) == (values["method"][:3] in ("NPO", "DPO"))
        numbers = [float(number) for number in re.findall(r"distance ([\d.]+),", said)]
        assert numbers[0] == pytest.approx(forget[best], rel=6e-3)
        ends = re.search(r"steps ([\d.]+) and ([\d.]+\d)", said)
        assert [float(end) for end in ends.groups()] == pytest.approx([forget[-1], retain[-1]], rel=6e-3)


@of("answers")
def test_answers(rng):
    made = demo("answers")
    found = results.load("language_model")
    assert made.grids["method"] == list(found["runs"])
    for index, values in made.some_points(rng, 12):
        run, step = found["runs"][values["method"]], int(values["step"])
        drawn, said = made.widget.drawn(list(index)), made.options["say"](**values)["en"]
        assert drawn["step"].x == pytest.approx(step)
        numbers = [float(number.replace("−", "-")) for number in re.findall(r"(?:set|questions) (−?\d+\.\d)", said)]
        for name, number in zip(("forget", "retain", "held_out"), numbers, strict=True):
            per_token = [sum(row) / sum(found["lengths"][name]) for row in run[name]]
            np.testing.assert_allclose(drawn[name], per_token, atol=1e-3)
            assert number == pytest.approx(per_token[run["steps"].index(step)], abs=0.051)
        told = made.widget.passages(list(index))
        for passage, question, (pieces, per_cent) in zip(
            told, found["questions"], run["answers"][str(step)], strict=True
        ):
            assert passage.title["en"].startswith(question["prompt"])
            assert list(passage.pieces) == pieces
            np.testing.assert_allclose(100 * np.asarray(passage.strengths), per_cent, atol=1e-9)


@of("forget_test")
def test_forget_test(rng):
    made = demo("forget_test")
    for index, values in made.some_points(rng, 12):
        n, shift = int(values["n"]), values["shift"]
        retrained = 0.5 * norm.ppf((np.arange(n) + 0.5) / n)
        drawn, said = made.widget.drawn(list(index)), made.options["say"](**values)["en"]
        for name, sample in (("retrained", retrained), ("model", retrained + shift)):
            assert_drawn(drawn[name], [(sample <= x + 1e-12).mean() for x in made.x])
        found = ks_2samp(retrained + shift, retrained)
        p = re.search(r"p (?:= ([\d.]+)|< 0.001)", said)[1]
        assert found.pvalue < 0.001 if p is None else float(p) == pytest.approx(found.pvalue, rel=0.06)
        signed = float(re.search(r"sign (−?[\d.]+\d)", said)[1].replace("−", "-"))
        assert signed == pytest.approx(np.sign(shift) * found.statistic, abs=6e-3)
        assert ("too little" in said, "too much" in said) == (shift < 0, shift > 0)


@of("small_world")
def test_small_world(rng):
    made = demo("small_world")
    found = results.load("world")
    lines = (files("npo_tutorial.language") / "data/world/zh/forget.jsonl").read_text("utf-8").splitlines()
    translated = [json.loads(line)["prompt"] for line in lines]
    titles = {run["title"]: key for key, run in found["settings"]["runs"].items()}
    assert made.grids["method"] == list(titles) and made.grids["step"][0] == 0
    retrained, before = found["models"]["retained"], found["models"]["all"]
    for index, values in made.some_points(rng, 24):
        run, step = found["runs"][titles[values["method"]]]["0"], int(values["step"])
        there = [k for k in (0, *run["steps"]) if k <= step]
        model = before if there[-1] == 0 else run["measured"][run["steps"].index(there[-1])]
        drawn, said = made.widget.drawn(list(index)), made.options["say"](**values)["en"]
        for name, of in {"model": model, "retrained": retrained}.items():
            place = of["forget_quality"]["signed"], of["utility"][0]
            assert [*drawn[name].x, *drawn[name].y] == pytest.approx(place, abs=1e-3)
        courses = [(x["forget_quality"]["signed"], x["utility"][0]) for x in (before, *run["measured"])]
        path = np.transpose([drawn["run"].x, drawn["run"].y])
        # a run that ended early stays where it ended
        np.testing.assert_allclose(path, courses + courses[-1:] * (len(path) - len(courses)), atol=1e-3)
        kept, signed = model["utility"], model["forget_quality"]
        ends = signed["interval"]
        across, upright = drawn["interval"].x, drawn["interval"].y
        assert [*across[:2], *upright[-2:]] == pytest.approx([*ends, *kept[1:]], abs=1e-3)
        assert [*upright[:2], *across[-2:]] == pytest.approx([*2 * [kept[0]], *2 * [signed["signed"]]], abs=1e-3)
        row = r"(?:distance|utility) (−?\d\.\d\d) \[(−?\d\.\d\d), (−?\d\.\d\d)\]"
        numbers = [[float(number.replace("−", "-")) for number in found_row] for found_row in re.findall(row, said)]
        np.testing.assert_allclose(numbers, [[signed["signed"], *ends], kept], atol=5.1e-3)
        p = re.search(r"\(forget quality p (?:= ([\d.e-]+)|< 0.0001)\)", said)[1]
        quality = model["forget_quality"]["pvalue"]
        assert quality < 1e-4 if p is None else float(p) == pytest.approx(quality, rel=0.06)
        told = [int(number) / 100 for number in re.findall(r"(\d+)% of", said)]
        assert told == pytest.approx([model["facts"][part][0] for part in ("forget", "retain")], abs=5.1e-3)
        assert ("last measured" in said) == (step > run["steps"][-1])
        passages = made.widget.passages(list(index))
        for passage, target, i in zip(passages[::2], passages[1::2], (0, 2, 4, 6), strict=True):
            assert passage.title["en"] == found["questions"]["forget"][i]["prompt"]
            # ten of forty questions are stored: every fourth
            assert passage.title["zh"].startswith(translated[4 * i])
            assert target.title == {"en": "Retrained model", "zh": "重训练模型"}
            for shown, of in ((passage, model), (target, retrained)):
                assert "".join(shown.pieces).split() == of["answers"]["forget"][i].split()
                probability = 100 * np.exp(of["logp_per_token"][4 * i])
                assert 100 * shown.strengths[0] == pytest.approx(probability, abs=0.51)
