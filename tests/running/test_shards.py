"""Shards have each group exactly once, unsplit, and equally many groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.running.shards import Shard


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 9))
def test_every_group_is_in_one_shard(groups: list[int], count: int) -> None:
    items = list(enumerate(groups))
    shards = [
        Shard(number, count).of(items, lambda item: item[1]) for number in range(1, count + 1)
    ]
    assert sorted(item for shard in shards for item in shard) == items
    assert all(shard == sorted(shard) for shard in shards)
    in_shards = [{group for _, group in shard} for shard in shards]
    assert sum(map(len, in_shards)) == len(set(groups))
    assert max(map(len, in_shards)) - min(map(len, in_shards)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/2/3", "-1/2", "a/b", "1/0", "½/2"])
def test_an_invalid_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="NUMBER/COUNT"):
        Shard.parse(text)
    assert Shard.parse("2/8") == Shard(2, 8)
