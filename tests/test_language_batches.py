"""language/batches.py: the retain sample paired with each forget sample, their order, and how they become one batch."""

import pytest

from npo_tutorial.language.batches import FILLER, Alone, Pairs, Places, collate, positions

SHORT = {"record": 0, "input_ids": [5, 6, 7], "labels": [-100, 6, 7], "ref_logp": -1.5, "ref_token_logp": [-1.0, -0.5]}
LONG = {"record": 1, "input_ids": [8, 9, 8, 9, 8], "labels": [-100, -100, -100, 9, 8], "ref_logp": -2.5}
LONG["ref_token_logp"] = [-2.25, -0.25]
RETAIN = {"input_ids": [3, 4], "labels": [-100, 4]}
CHOSEN = {"chosen_input_ids": [5, 2], "chosen_labels": [-100, 2], "chosen_ref_logp": -0.5}


def batch_of(forget, retain=None, chosen=False):
    pairs = Pairs(forget, retain, chosen=chosen)
    return collate([pairs[i] for i in range(len(forget))])


def test_rows_are_forget_samples_then_chosen_then_retain_samples():
    batch = batch_of([SHORT | CHOSEN, LONG | CHOSEN], [RETAIN], chosen=True)
    assert batch["parts"] == ("forget", "chosen", "retain")
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
    # samples, forget tokens, retain tokens
    assert batch["sizes"].tolist() == [[1, 2, 1], [1, 2, 1]]


def test_references_of_tokens_are_at_their_places():
    assert batch_of([SHORT, LONG])["ref_token_logp"].tolist() == [[0, -1.0, -0.5, 0, 0], [0, 0, 0, -2.25, -0.25]]


def test_references_are_included_where_they_exist():
    assert "ref_logp" not in batch_of([RETAIN])
    assert "chosen_ref_logp" not in batch_of([SHORT, LONG])


def test_a_filler_counts_as_no_sample():
    pairs = Pairs([SHORT, LONG], [RETAIN])
    batch = collate([pairs[1], pairs[FILLER]])
    assert batch["sizes"].tolist() == [[1, 2, 1], [0, 0, 0]] and len(batch["labels"]) == 4


@pytest.mark.parametrize(
    ("samples", "expected"),
    # the logits before the first token of a response predict it
    [([LONG], 3), ([SHORT], 3), ([SHORT, LONG], 5), ([{"input_ids": [1, 2], "labels": [1, 2]}], 2)],
)
def test_positions_that_count_begin_before_the_first_response(samples, expected):
    batch = batch_of(samples)
    assert batch["keep"] == positions(batch["labels"]) == expected


def test_samples_stand_alone_without_a_retain_set():
    pairs = Pairs([SHORT, LONG])
    assert len(pairs) == 2 and pairs[1] == (1, {"forget": LONG})
    alone = Alone([RETAIN])
    assert len(alone) == 1 and collate([alone[0]])["parts"] == ("alone",)


@pytest.mark.parametrize("n_retain", [1, 2, 5, 12])
def test_the_retain_set_is_cycled_through(n_retain):
    retain = [{"record": i} for i in range(n_retain)]
    pairs = Pairs([SHORT] * 4, retain, seed=1)
    met = [pairs[place][1]["retain"]["record"] for place in range(12)]
    assert sorted(met[:n_retain]) == list(range(n_retain))
    assert met == (12 * met[:n_retain])[:12]
    # another seed gives another order, the same seed the same order
    again, other = Pairs([SHORT], retain, seed=1), Pairs([SHORT], retain, seed=2)
    assert again.order == pairs.order
    assert n_retain < 12 or other.order != pairs.order


def places(epoch, **options):
    sampler = Places(**options)
    sampler.epoch = epoch
    found = list(sampler)
    assert len(found) == len(sampler)
    return found


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_an_epoch_has_each_of_its_places_once(epoch):
    assert sorted(places(epoch, n=7)) == list(range(7 * epoch, 7 * epoch + 7))
    assert places(epoch, n=7, shuffle=False) == list(range(7 * epoch, 7 * epoch + 7))


def test_the_order_depends_on_seed_and_epoch():
    order = [place % 50 for place in places(0, n=50)]
    assert order == places(0, n=50) != list(range(50))
    assert order != [place % 50 for place in places(1, n=50)]
    assert order != places(0, n=50, seed=1)


def test_the_last_batches_of_processes_are_filled_up_or_left_out():
    whole = places(2, n=5)
    assert places(2, n=5, multiple=4) == [*whole, FILLER, FILLER, FILLER]
    assert places(2, n=5, multiple=4, drop_last=True) == whole[:4]
    assert places(2, n=8, multiple=4) == places(2, n=8) == places(2, n=8, multiple=4, drop_last=True)


def test_groups_have_about_one_length():
    lengths = [i * 37 % 64 for i in range(64)]

    def padding(order):
        groups = [[lengths[place % 64] for place in order[i : i + 4]] for i in range(0, 64, 4)]
        return sum(max(group) - length for group in groups for length in group)

    found = places(1, n=64, lengths=lengths, group=4)
    assert sorted(found) == list(range(64, 128))
    assert padding(found) < 0.4 * padding(places(1, n=64))
