"""Batches have every item once, within the budget."""

from hypothesis import given
from hypothesis import strategies as st

from multirm.models.batching import batches


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_batches_have_every_item_once_within_the_budget(sizes: list[int], budget: int) -> None:
    made = list(batches(sizes, budget))
    assert sorted(index for batch in made for index in batch) == list(range(len(sizes)))
    for batch in made:
        assert len(batch) == 1 or max(sizes[index] for index in batch) * len(batch) <= budget
    in_order = [sizes[index] for batch in made for index in batch]
    assert in_order == sorted(sizes, reverse=True)
