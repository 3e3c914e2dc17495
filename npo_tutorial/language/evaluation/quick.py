"""The values of `measure` in less than half the time, for a model that is asked again and again.

Two things are saved. All answers to a question share its prompt, which is read once: the answers follow it in one row,
and a mask hides them from each other. And where each token of the true answer is the most probable one, the model's own
answer is known without generating it.
"""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import TYPE_CHECKING, Any

from npo_tutorial._extras import require
from npo_tutorial.language.evaluation.measuring import Measured, generate, prepare, questions_of
from npo_tutorial.language.evaluation.metrics import extraction_strength, min_k, rouge_l_recall
from npo_tutorial.language.records import split_turns
from npo_tutorial.language.sequences import IGNORE_INDEX

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch = require("torch")

tqdm = require("tqdm.auto").tqdm
#: Log-probability of each token of an answer, and whether it is the most probable one.
Scored = tuple[list[float], list[bool]]


class Questions:
    """Questions for a model without sliding windows, such as Llama, whose answers a chat template or `encode` ends.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Of the architecture that will be asked.
    tokenizer : transformers.PreTrainedTokenizerBase
    records : sequence of Record
        As for `measure`.
    **encoding
        Arguments of `encode`.
    """

    def __init__(
        self,
        model: "transformers.PreTrainedModel",
        tokenizer: "transformers.PreTrainedTokenizerBase",
        records: Sequence[Mapping[str, Any]],
        **encoding: Any,
    ) -> None:
        self.tokenizer: Any = tokenizer
        self.records = list(records)
        text = model.config.get_text_config(decoder=True)
        items = prepare(tokenizer, records, text.vocab_size, text.max_position_embeddings, **encoding)
        self.items = items["answer"]
        self.prompts = [item["input_ids"][: -len(_answer(item))] for item in self.items]
        self.answers = [[_answer(item)] for item in self.items]
        if "false" in items:
            false = iter(items["false"])
            for answers, record, item in zip(self.answers, records, items["paraphrased"], strict=True):
                answers.append(_answer(item))
                answers += [_answer(next(false)) for _ in record["false_responses"]]

    def ask(self, model: Any, *, max_new_tokens: int = 64, batch_size: int = 8) -> Measured:
        """What `measure` finds, without sampled answers."""
        was_training = model.training
        model.eval()
        try:
            scored = self.score(model, batch_size=batch_size)
            wrong = [i for i, answers in enumerate(scored) if not all(answers[0][1])]
            options = {"max_new_tokens": max_new_tokens, "batch_size": batch_size, "bar": tqdm(disable=True)}
            own = generate(model, self.tokenizer, [self.items[i] for i in wrong], **options) if wrong else []
        finally:
            model.train(was_training)
        texts = {i: text for i, (text,) in zip(wrong, own, strict=True)}
        for i in set(range(len(scored))) - texts.keys():
            texts[i] = self.tokenizer.decode(self.answers[i][0][:max_new_tokens], skip_special_tokens=True)
        # the last token ends the answer, and does not belong to its text
        found: Measured = {
            "question": questions_of(self.records),
            "logp_per_token": [_mean(answers[0]) for answers in scored],
            "min_k": [min_k(answers[0][0][:-1]) for answers in scored],
            "extraction_strength": [extraction_strength(answers[0][1][:-1]) for answers in scored],
            "answer": [texts[i] for i in range(len(scored))],
            "rouge_l_recall": [rouge_l_recall(split_turns(x)[1], texts[i]) for i, x in enumerate(self.records)],
        }
        if len(scored[0]) > 1:
            found["paraphrased_logp_per_token"] = [_mean(answers[1]) for answers in scored]
            found["false_logp_per_token"] = [[_mean(answer) for answer in answers[2:]] for answers in scored]
        return found

    @torch.inference_mode()
    def score(self, model: Any, *, only_true: bool = False, batch_size: int = 8) -> list[list[Scored]]:
        """For each question its answers: the true one, and unless `only_true` the paraphrased and the false ones."""
        rows = [
            (prompt, answers[:1] if only_true else answers)
            for prompt, answers in zip(self.prompts, self.answers, strict=True)
        ]
        # sorted by length, which saves padding
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + sum(map(len, rows[i][1])))
        step = max(1, batch_size // len(rows[0][1]))
        found: dict[int, list[Scored]] = {}
        for start in range(0, len(order), step):
            part = order[start : start + step]
            for i, scored in zip(part, _score(model, [rows[i] for i in part]), strict=True):
                found[i] = scored
        return [found[i] for i in range(len(rows))]


def _answer(item: Any) -> list[int]:
    return [token for token in item["labels"] if token != IGNORE_INDEX]


def _mean(scored: Scored) -> float:
    return fsum(scored[0]) / len(scored[0])


def _score(model: Any, rows: Sequence[tuple[list[int], list[list[int]]]]) -> list[list[Scored]]:
    """One forward pass for several prompts, each followed by all its answers."""
    length = max(len(prompt) + sum(map(len, answers)) for prompt, answers in rows)
    tokens, places = torch.zeros(2, len(rows), length, dtype=torch.long)
    # whose token it is: 0 of the prompt, k of answer k, −1 of the padding
    owners = torch.full((len(rows), length), -1)
    # row and column of the token before, whose logits predict a token of an answer
    before: list[tuple[int, int]] = []
    for i, (prompt, answers) in enumerate(rows):
        n = end = len(prompt)
        tokens[i, :n], places[i, :n], owners[i, :n] = torch.tensor(prompt), torch.arange(n), 0
        for k, answer in enumerate(answers, 1):
            part = slice(end, end + len(answer))
            tokens[i, part], places[i, part], owners[i, part] = (
                torch.tensor(answer),
                torch.arange(n, n + len(answer)),
                k,
            )
            before += [(i, n - 1)] + [(i, t) for t in range(part.start, part.stop - 1)]
            end = part.stop
    device, dtype = model.device, model.dtype
    seen = (owners[:, None, :] == 0) | (owners[:, None, :] == owners[:, :, None])
    seen &= torch.ones(length, length, dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]
    hidden = model.base_model(
        input_ids=tokens.to(device), attention_mask=mask.to(device), position_ids=places.to(device), use_cache=False
    ).last_hidden_state
    i, t = torch.tensor(before, device=device).T
    logits = model.get_output_embeddings()(hidden[i, t]).float()
    targets = torch.tensor([token for _, answers in rows for answer in answers for token in answer], device=device)
    logp = -torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    if not logp.isfinite().all():
        raise ValueError("log-probabilities must be finite, got nan or inf: the model's weights are damaged")
    values, right = iter(logp.tolist()), iter((logits.argmax(dim=-1) == targets).tolist())
    return [
        [([next(values) for _ in answer], [next(right) for _ in answer]) for answer in answers] for _, answers in rows
    ]
