from hypothesis import given
from hypothesis import strategies as st

from multirm.models.packing import n_shared
from multirm.models.token_tree import ReadTexts

TEXTS = st.lists(st.lists(st.integers(0, 2), max_size=8), max_size=12)


@given(TEXTS)
def test_new_tokens_are_those_after_the_longest_prefix_of_an_earlier_text(
    texts: list[list[int]],
) -> None:
    tree = ReadTexts()
    for number, text in enumerate(texts):
        known = max((n_shared(text, earlier) for earlier in texts[:number]), default=0)
        assert tree.add(text) == len(text) - known
