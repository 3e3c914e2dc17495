"""language/batches.py: the retain sample paired with each forget sample, and how both become one batch."""

import pytest

from npo_tutorial.language.batches import Pairs, collate

SHORT = {"record": 0, "input_ids": [5, 6, 7], "labels": [-100, 6, 7], "ref_logp": -1.5}
LONG = {"record": 1, "input_ids": [8, 9, 8, 9, 8], "labels": [-100, -100, -100, 9, 8], "ref_logp": -2.5}
RETAIN = {"input_ids": [3, 4], "labels": [-100, 4]}
CHOSEN = {"chosen_input_ids": [5, 2], "chosen_labels": [-100, 2], "chosen_ref_logp": -0.5}


def test_rows_are_forget_samples_then_chosen_then_retain_samples():
    batch = collate([(SHORT | CHOSEN, RETAIN), (LONG | CHOSEN, RETAIN)], chosen=True)
    assert batch["input_ids"].tolist() == [
        [5, 6, 7, 0, 0],
        [8, 9, 8, 9, 8],
        [5, 2, 0, 0, 0],
        [5, 2, 0, 0, 0],
        [3, 4, 0, 0, 0],
        [3, 4, 0, 0, 0],
    ]
    # padding is hidden from the model and does not count
    assert batch["attention_mask"].sum(dim=-1).tolist() == [3, 5, 2, 2, 2, 2]
    assert batch["attention_mask"][0].tolist() == [1, 1, 1, 0, 0]
    assert batch["labels"][0].tolist() == [-100, 6, 7, -100, -100]
    assert batch["ref_logp"].tolist() == [-1.5, -2.5] and batch["chosen_ref_logp"].tolist() == [-0.5, -0.5]


def test_references_are_included_where_they_exist():
    assert "ref_logp" not in collate([(RETAIN,)])
    # a batch without chosen answers has no reference for them, even if one of its samples has one
    assert "chosen_ref_logp" not in collate([(SHORT | CHOSEN,), (LONG,)])


def test_samples_stand_alone_without_a_retain_set():
    pairs = Pairs([SHORT, LONG])
    assert len(pairs) == 2 and pairs[1] == (LONG,)


@pytest.mark.parametrize("n_retain", [1, 2, 5, 12])
def test_the_retain_set_is_cycled_through(n_retain):
    retain = [{"record": i} for i in range(n_retain)]
    pairs = Pairs([SHORT] * 4, retain, seed=1)
    met = []
    for epoch in range(3):
        pairs.epoch = epoch
        met += [pairs[i][1]["record"] for i in range(4)]
    assert sorted(met[:n_retain]) == list(range(n_retain))
    assert met == (12 * met[:n_retain])[:12]
    # another seed gives another order, the same seed the same order
    again, other = Pairs([SHORT], retain, seed=1), Pairs([SHORT], retain, seed=2)
    assert again.order == pairs.order
    assert n_retain < 12 or other.order != pairs.order
