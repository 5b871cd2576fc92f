"""What is drawn for an item depends on the seed and on its key alone, and does not change between versions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multirm.running.randomness import item_generator, item_seed

KEYS = st.lists(st.text("ab/1", max_size=3), max_size=3)


def test_seeds_are_those_of_earlier_versions() -> None:
    """Other seeds would draw other datasets, samples and subsets in every study."""
    assert item_seed(42, "subpools", "law/7") == 6_433_270_903_395_791_810
    assert item_generator(42, "subpools", "law/7").integers(0, 1000, 3).tolist() == [127, 993, 271]


@given(st.integers(0, 2**32), st.integers(0, 2**32), KEYS, KEYS)
def test_other_seeds_and_items_have_other_numbers(
    seed: int, other_seed: int, key: list[str], other_key: list[str]
) -> None:
    is_same = (seed, key) == (other_seed, other_key)
    assert (item_seed(seed, *key) == item_seed(other_seed, *other_key)) is is_same


def test_one_item_does_not_advance_another() -> None:
    alone = item_generator(1, "q").random(5)
    first = item_generator(1, "q")
    begun = first.random(2)
    item_generator(1, "other").random(100)
    np.random.default_rng(1).random(100)
    assert [*begun, *first.random(3)] == alone.tolist()


def test_numbers_and_their_texts_are_the_same_key() -> None:
    """Ids are numbers in some sources and texts in others."""
    assert item_seed(1, 7) == item_seed(1, "7")
