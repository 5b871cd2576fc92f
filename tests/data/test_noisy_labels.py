"""Noise in labels tables: on the steps whose labels are flipped in solutions, and on no others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.noise import add_noise, with_noise
from multirm.data.noisy_labels import add_noise_to_labels, flipped_label, flipped_steps
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelSource, label_rows
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from multirm.training.step_labels import step_targets
from tests.data.conftest import solution
from tests.origins import made_of

ROWS = [solution(question, number) for question in range(20) for number in range(4)]


def last_step(row: Any) -> dict[str, Any]:
    """The only label of a variant: that of its last step, of a dataset with another name."""
    columns = [{"label": label} for label in row["step_labels"]]
    return {**label_rows(row, LabelSource.AUGMENTATION, columns)[-1], "dataset": "variants"}


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 1),
    steps=st.floats(0, 1),
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=6) | st.none(),
)
def test_flips_are_those_of_the_solutions(
    seed: int, share: float, steps: float, labels: list[int] | None
) -> None:
    n_steps = len(labels or ["a", "b"])
    row = {**solution(0, 0, n_steps), "step_labels": labels}
    flips = flipped_steps(row, seed, share, steps)
    assert len(flips) == n_steps
    noisy = with_noise(row, seed, share, steps, 0.5)["step_labels"]
    if labels is not None:
        assert noisy == [label ^ flip for label, flip in zip(labels, flips, strict=True)]


def test_only_labelled_steps_are_learned_with_noise(
    write_solutions: Callable[[Any], Path], tmp_path: Path
) -> None:
    """A variant's last step has the label of the noisy solution, and its other steps have none."""
    solutions, labels = write_solutions(ROWS), tmp_path / "labels.parquet"
    others = [last_step(solution(question, 9)) for question in range(3)]
    parquet.write(labels, LABELS, [*map(last_step, ROWS[:-8]), *others], made_of())
    noisy, output = tmp_path / "noisy.parquet", tmp_path / "noisy_labels.parquet"
    add_noise(solutions, "noisy", noisy, 1, share=0.7, steps=0.5, outcomes=0.5)
    add_noise_to_labels(solutions, labels, "noisy", output, 1, share=0.7, steps=0.5)
    rows = parquet.read(noisy, SOLUTIONS).to_pylist()
    found = parquet.read(output, LABELS).to_pylist()
    assert [row["label"] for row in found] == [row["step_labels"][-1] for row in rows[:-8]]
    assert {row["label"] for row in found} == {0, 1}
    assert any(
        row["label"] != before["step_labels"][-1] for row, before in zip(found, ROWS, strict=False)
    )
    assert {(row["dataset"], row["step"]) for row in found} == {("noisy", 2)}
    of_first = {row["step"]: (row["label"], row["value"]) for row in found[:1]}
    assert list(step_targets(Kind.DPRM, 1, [0, 0, 0], 3, of_first) or ()) == [2]


def test_votes_and_values_are_turned_around() -> None:
    nothing = {"label": None, "value": None, "n_votes": None, "n_agreeing": None}
    assert flipped_label(nothing) == nothing
    judged = {"label": 1, "value": 0.75, "n_votes": 4, "n_agreeing": 3}
    assert flipped_label(judged) == {"label": 0, "value": 0.25, "n_votes": 4, "n_agreeing": 1}
    assert flipped_label(flipped_label(judged)) == judged
    assert flipped_label(nothing | {"value": 0.25}) == nothing | {"value": 0.75}


def test_a_category_without_variants_has_none_with_noise(tmp_path: Path) -> None:
    solutions, labels = tmp_path / "none.parquet", tmp_path / "labels.parquet"
    parquet.write(solutions, SOLUTIONS, [], made_of())
    parquet.write(labels, LABELS, [], made_of())
    noisy, output = tmp_path / "noisy.parquet", tmp_path / "noisy_labels.parquet"
    add_noise(solutions, "noisy", noisy, 1, steps=0.5)
    add_noise_to_labels(solutions, labels, "noisy", output, 1, steps=0.5)
    assert parquet.read(noisy, SOLUTIONS_IF_ANY).num_rows == 0
    assert parquet.read(output, LABELS).num_rows == 0


def test_labels_of_other_solutions_are_refused(
    write_solutions: Callable[[Any], Path], tmp_path: Path
) -> None:
    solutions, labels = write_solutions(ROWS), tmp_path / "labels.parquet"
    parquet.write(labels, LABELS, [last_step(solution(99, 0))], made_of())
    output = tmp_path / "noisy.parquet"
    with pytest.raises(InputError, match=r"expected labels of solutions in .*, found others"):
        add_noise_to_labels(solutions, labels, "noisy", output, 1, steps=0.5)
    parquet.write(labels, LABELS, [last_step(solution(0, 0, n_steps=5))], made_of())
    with pytest.raises(InputError, match="labels of 3 steps of solution 0, found one of step 4"):
        add_noise_to_labels(solutions, labels, "noisy", output, 1, steps=0.5)
    assert not output.exists()
