"""Similarities by their definitions, and comparisons with many texts against comparing each."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.text.segments import KeepApart, Similarity
from multirm.trees import similarity
from multirm.trees.similarity import Likeness, Texts

# The first sentences of OpenPRM's Table 5.
FIRST = "To identify the logical fallacy used in the text, let's analyze the situation step by step"
SECOND = "To identify the logical fallacy in the text, let's break down the reasoning process step by step"


def texts_of(texts: list[str]) -> Texts:
    found = Texts()
    found.texts = texts
    return found


def ratio(a: str, b: str) -> float:
    """Twice the longest common subsequence, by its recurrence, divided by both lengths."""

    @cache
    def common(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + common(i + 1, j + 1)
        return max(common(i + 1, j), common(i, j + 1))

    return 2 * common(0, 0) / (len(a) + len(b)) if a or b else 1.0


def levenshtein(a: str, b: str) -> float:
    """1 minus the edit distance, by its recurrence, divided by the longer length."""

    @cache
    def edits(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        return min(edits(i + 1, j + 1) + (a[i] != b[j]), edits(i + 1, j) + 1, edits(i, j + 1) + 1)

    return 1 - edits(0, 0) / max(len(a), len(b)) if a or b else 1.0


@pytest.mark.parametrize(
    ("threshold", "alike"), [(0.75, 0), (0.795, 0), (0.796, None), (0.88, None)]
)
def test_the_first_sentences_of_the_paper(threshold: float, alike: int | None) -> None:
    rule = Likeness(Similarity.RATIO, threshold)
    assert rule.first_alike(SECOND, texts_of([FIRST])) == alike


PLAIN = {Similarity.RATIO: ratio, Similarity.LEVENSHTEIN: levenshtein}


@pytest.mark.parametrize("kind", list(PLAIN))
@given(
    text=st.text(alphabet="abcé\U0001f600", max_size=8),
    others=st.lists(st.text(alphabet="abcé\U0001f600", max_size=8), max_size=12),
    threshold=st.sampled_from([0.3, 0.5, 2 / 3, 0.8, 1.0]),
    many=st.sampled_from([1, 10**6]),
)
def test_the_first_one_similar_enough(
    kind: Similarity, text: str, others: list[str], threshold: float, many: int
) -> None:
    expected = next(
        (k for k, other in enumerate(others) if PLAIN[kind](text, other) >= threshold - 1e-12), None
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_MANY", many)
        assert Likeness(kind, threshold).first_alike(text, texts_of(others)) == expected


@given(st.lists(st.text(max_size=6), min_size=1, max_size=20), st.text(max_size=6))
def test_differences_are_bounds_and_texts_may_be_added_later(texts: list[str], text: str) -> None:
    found = Texts()
    for other in texts:
        found.texts.append(other)
        differences, lengths = found.differences(text)
    for other, difference, length in zip(texts, differences, lengths, strict=True):
        assert length == len(other)
        # Insertions and deletions that turn one text into the other.
        assert difference <= round((1 - ratio(text, other)) * (len(text) + len(other)))


@pytest.mark.parametrize("kind", list(Similarity))
def test_equal_texts_are_alike_by_any_measure(kind: Similarity) -> None:
    assert Likeness(kind, 1.0).first_alike("two words", texts_of(["x", "two words"])) == 1


@pytest.mark.parametrize(
    ("text", "numbers", "options"),
    [
        ("He earns 18 dollars, not 1,800.50.", ("18", "1,800.50"), ()),
        ("The answer is (A).", (), ("A",)),
        ("The final answer is: B", (), ("B",)),
        ("A man sees B, then (C) 3.", ("3",), ("B", "C")),
        ("A plan", (), ()),
    ],
)
def test_what_is_kept_apart(text: str, numbers: tuple[str, ...], options: tuple[str, ...]) -> None:
    assert KeepApart.NUMBERS.found(text) == numbers
    assert KeepApart.OPTIONS.found(text) == options
    both = Likeness(Similarity.RATIO, 0.88, (KeepApart.NUMBERS, KeepApart.OPTIONS))
    assert both.must_share(text) == (numbers, options)
