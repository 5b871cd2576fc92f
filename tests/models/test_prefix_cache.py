import torch
from hypothesis import given
from hypothesis import strategies as st

from multirm.models.packing import n_shared
from multirm.models.prefix_cache import PrefixCache

TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), max_size=12)
BYTES_OF_A_TOKEN = 2 * 4


def read(cache: PrefixCache, text: list[int]) -> None:
    """Fill what is missing; the state of a token is its position."""
    start = 0
    for branch in cache.path(text):
        end = start + len(branch.run)
        if branch.states is None:
            places = torch.arange(start, end, dtype=torch.float32)
            cache.fill(branch, places.expand(1, 2, -1)[..., None, None].clone())
        start = end


def states(cache: PrefixCache, text: list[int]) -> list[int]:
    known = [branch.states for branch in cache.path(text) if branch.states is not None]
    return torch.cat(known, dim=2)[0, 1, :, 0, 0].tolist() if known else []


@given(TEXTS)
def test_the_longest_known_prefix_is_found(texts: list[list[int]]) -> None:
    cache = PrefixCache(10**6)
    for number, text in enumerate(texts):
        known = max((n_shared(text, earlier) for earlier in texts[:number]), default=0)
        assert cache.n_known(text) == known
        assert states(cache, text) == [*range(known)]
        read(cache, text)
    for text in texts:
        assert states(cache, text) == [*range(len(text))]
    different = {tuple(text[:n]) for text in texts for n in range(1, len(text) + 1)}
    assert cache.n_bytes == len(different) * BYTES_OF_A_TOKEN


@given(st.lists(st.integers(0, 2), min_size=1, max_size=4), TEXTS)
def test_what_is_held_stays_and_the_rest_goes(held: list[int], texts: list[list[int]]) -> None:
    cache = PrefixCache(0)
    read(cache, held)
    cache.hold()
    for text in texts:
        read(cache, held + text)
    cache.trim()
    assert states(cache, held) == [*range(len(held))]
    assert cache.n_bytes == len(held) * BYTES_OF_A_TOKEN


@given(TEXTS, st.integers(0, 20))
def test_what_is_left_is_within_the_bound_and_has_all_that_it_continues(
    texts: list[list[int]], n_tokens: int
) -> None:
    cache = PrefixCache(n_tokens * BYTES_OF_A_TOKEN)
    for text in texts:
        read(cache, text)
        cache.trim()
        assert cache.n_bytes <= n_tokens * BYTES_OF_A_TOKEN
    # No gap: the tokens of a text without states are the last ones.
    for text in texts:
        missing = [branch.states is None for branch in cache.path(text)]
        assert missing == sorted(missing)


def test_the_least_recently_used_goes_first() -> None:
    cache = PrefixCache(5 * BYTES_OF_A_TOKEN)
    for text in ([1, 2, 3], [1, 2, 4], [1, 2, 3, 5]):
        read(cache, text)
    read(cache, [1, 2, 6])
    cache.trim()
    assert [cache.n_known(text) for text in ([1, 2, 4], [1, 2, 3, 5], [1, 2, 6])] == [2, 4, 3]
