"""Truncated responses: whole words, whole responses first, and what is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.reward_benchmarks.read import read_responses
from multirm.data.reward_benchmarks.truncate import first_characters, truncate_responses
from multirm.errors import InputError
from multirm.evaluation.responses import evaluate_responses
from multirm.tables import parquet
from multirm.tables.response_accuracy import RESPONSE_ACCURACY
from multirm.tables.responses import RESPONSES, Benchmark
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


def test_a_response_ends_at_the_last_word_that_fits() -> None:
    steps = ["One two.", "Three four."]
    assert first_characters(steps, 100) == steps
    assert first_characters(steps, 19) == steps
    assert first_characters(steps, 18) == ["One two.", "Three"]
    assert first_characters(steps, 10) == ["One two."]
    assert first_characters(steps, 8) == ["One two."]
    assert first_characters(steps, 7) == ["One"]
    assert first_characters(steps, 2) == ["On"]


@given(
    st.lists(st.text("ab ", min_size=1).map(lambda text: f"x{text}x"), min_size=1),
    st.integers(1, 40),
)
def test_what_is_shown_is_the_beginning_and_never_empty(steps: list[str], n: int) -> None:
    shown = first_characters(steps, n)
    assert shown
    assert all(shown)
    assert 1 <= sum(map(len, shown)) <= n
    assert shown[:-1] == steps[: len(shown) - 1]
    assert steps[len(shown) - 1].startswith(shown[-1])


def written(tmp_path: Path) -> list[Path]:
    source = tmp_path / "natural.json"
    rows = [
        {"input": f"p{k}", "output_1": "good and long", "output_2": "good but", "label": 1}
        for k in range(3)
    ]
    source.write_text(json.dumps(rows))
    paths = [tmp_path / "responses.parquet", tmp_path / "solutions.parquet"]
    read_responses(Benchmark.LLMBAR, [str(source)], "d", *paths)
    return paths


def test_variants_are_evaluated_by_themselves(tmp_path: Path) -> None:
    paths = written(tmp_path)
    made = [tmp_path / "variants.parquet", tmp_path / "texts.parquet"]
    truncate_responses(*paths, [8, 4], *made)
    rows = parquet.read(made[0], RESPONSES).to_pylist()
    texts = parquet.read(made[1], SOLUTIONS).to_pylist()
    assert [row["n_shown"] for row in rows] == [None] * 6 + [4] * 6 + [8] * 6
    assert [row["solution_id"] for row in rows[::6]] == [0, 2, 4]
    assert [text["steps"] for text in texts[12:14]] == [["good and"], ["good but"]]
    evaluate_responses([made[0]], [made[1]], tmp_path / "evaluation")
    found = parquet.read(tmp_path / "evaluation" / "response_accuracy.parquet", RESPONSE_ACCURACY)
    values = {
        row["n_shown"]: (row["value"], row["n_tied"], row["n_prompts"])
        for row in found.to_pylist()
        if (row["level"], row["ties"]) == ("all", "lost")
    }
    assert values == {4: (0, 3, 3), 8: (0, 3, 3), None: (100, 0, 3)}


def test_bad_numbers_and_truncated_responses_are_refused(tmp_path: Path) -> None:
    paths = written(tmp_path)
    made = [tmp_path / "variants.parquet", tmp_path / "texts.parquet"]
    for characters in ([0], [4, 4]):
        with pytest.raises(InputError, match="expected different numbers of at least 1"):
            truncate_responses(*paths, characters, *made)
    truncate_responses(*paths, [4], *made)
    again = [tmp_path / "again.parquet", tmp_path / "again_texts.parquet"]
    with pytest.raises(InputError, match="expected whole responses, found 4 characters"):
        truncate_responses(*made, [2], *again)
    kept = parquet.read(paths[1], SOLUTIONS)[:2]
    parquet.write(paths[1], SOLUTIONS, kept, made_of())
    with pytest.raises(InputError, match="expected the text of every response"):
        truncate_responses(*paths, [4], *made)
