"""Step labels from tables of labels: chosen, agreed on by several sources, and trusted by a reward model."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.agree_labels import agree_labels, consensus
from multirm.data.choose_labels import choose_labels
from multirm.data.trust_labels import trust_labels, trusted
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows
from multirm.tables.rewards import REWARDS, Scale, Unit
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import Rows, solution
from tests.origins import made_of

Write = Callable[[Rows], Path]


def labelled(
    folder: Path, *of: list[int | None], source: LabelSource = LabelSource.JUDGE, **more: Any
) -> Path:
    """A table of labels: of the solutions 0/0, 0/1, …, a list each."""
    path = folder / f"{source}.parquet"
    rows = []
    for number, labels in enumerate(of):
        columns = [
            {"label": label, "reason": LabelReason.TIED if label is None else None, **more}
            for label in labels
        ]
        rows += label_rows(solution(0, number), source, columns)
    parquet.write(path, LABELS, rows, made_of())
    return path


def chosen(solutions: Path, labels: Path, tmp_path: Path, **options: Any) -> Rows:
    output = tmp_path / "chosen.parquet"
    choose_labels(solutions, labels, "new", output, **options)
    return parquet.read(output, SOLUTIONS).to_pylist()


def test_labels_after_the_first_bad_step_are_bad_and_gaps_before_it_leave_none(
    tmp_path: Path, write_solutions: Write
) -> None:
    solutions = write_solutions([solution(0, number) for number in range(5)])
    labels = labelled(tmp_path, [1, 0, 1], [1, 0, None], [1, None, 0], [1, 1, 1])
    rows = chosen(solutions, labels, tmp_path)
    assert [row["step_labels"] for row in rows] == [[1, 0, 0], [1, 0, 0], None, [1, 1, 1], None]
    assert {row["dataset"] for row in rows} == {"new"}
    before = parquet.read(solutions, SOLUTIONS).to_pylist()
    kept = [name for name in before[0] if name not in ("dataset", "step_labels")]
    assert [[row[name] for name in kept] for row in rows] == [
        [row[name] for name in kept] for row in before
    ]


def test_without_answers_the_outcome_follows_from_the_steps(
    tmp_path: Path, write_solutions: Write
) -> None:
    solutions = write_solutions([{**solution(0, number), "answer": None} for number in range(3)])
    rows = chosen(solutions, labelled(tmp_path, [1, 1, 1], [0, 1, 1]), tmp_path)
    assert [row["outcome"] for row in rows] == [1, 0, None]


def test_labels_with_few_agreeing_votes_count_as_missing(
    tmp_path: Path, write_solutions: Write, caplog: pytest.LogCaptureFixture
) -> None:
    solutions = write_solutions([solution(0, 0), solution(0, 1)])
    labels = labelled(tmp_path, [1, 1, 1], n_votes=4, n_agreeing=3)
    assert chosen(solutions, labels, tmp_path, min_agreement=0.75)[0]["step_labels"] == [1, 1, 1]
    # Other categories may have labels, so a study goes on.
    rows = chosen(solutions, labels, tmp_path, min_agreement=0.76)
    assert [row["step_labels"] for row in rows] == [None, None]
    assert "new: left without labels: 1 too few agreeing votes, 1 without a label" in caplog.text


def test_continuations_are_no_votes(tmp_path: Path, write_solutions: Write) -> None:
    """7 of 16 right ones among ten options are far more than by guessing, though fewer than half."""
    solutions = write_solutions([solution(0, 0)])
    counts = {"n_votes": 16, "n_agreeing": 7}
    labels = labelled(tmp_path, [1, 1, 1], source=LabelSource.MONTE_CARLO, **counts)
    assert chosen(solutions, labels, tmp_path)[0]["step_labels"] == [1, 1, 1]
    with pytest.raises(InputError, match="expected labels by vote"):
        chosen(solutions, labels, tmp_path, min_agreement=0.5)


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        ({"n_votes": 4}, "n_votes and n_agreeing of a label"),
        ({"n_agreeing": 4}, "n_votes and n_agreeing of a label"),
        ({"n_votes": 2, "n_agreeing": 3}, "n_agreeing from 0 to n_votes"),
    ],
)
def test_votes_without_those_that_agree_are_refused(
    votes: dict[str, int], told: str, tmp_path: Path, write_solutions: Write
) -> None:
    solutions = write_solutions([solution(0, 0)])
    with pytest.raises(InputError, match=told):
        chosen(solutions, labelled(tmp_path, [1, 1, 1], **votes), tmp_path, min_agreement=0.5)


def test_labels_of_other_solutions_steps_and_sources_are_refused(
    tmp_path: Path, write_solutions: Write
) -> None:
    labels = labelled(tmp_path, [1, 1, 1, 1])
    with pytest.raises(InputError, match=r"steps 0 to 2 .*a label of step 3"):
        chosen(write_solutions([solution(0, 0)]), labels, tmp_path)
    with pytest.raises(InputError, match="labels of solutions in"):
        chosen(write_solutions([solution(1, 0)]), labels, tmp_path)
    other = labelled(tmp_path, [1, 1, 1], source=LabelSource.KNOWN)
    both = parquet.read_all([labelled(tmp_path, [1, 1, 1]), other], LABELS)
    parquet.write(tmp_path / "both.parquet", LABELS, both, made_of())
    with pytest.raises(InputError, match="from judge, known"):
        chosen(write_solutions([solution(0, 0)]), tmp_path / "both.parquet", tmp_path)


def first_bad(labels: list[int | None]) -> int | str | None:
    """By its definition: the position, "none", or None if a missing label comes before it."""
    for step, label in enumerate(labels):
        if label is None:
            return None
        if label == 0:
            return step
    return "none"


LABELS_OF_THREE = st.lists(st.sampled_from([0, 1, None]), min_size=3, max_size=3)


@given(LABELS_OF_THREE, LABELS_OF_THREE)
def test_consensus_is_the_common_first_bad_step(
    one: list[int | None], other: list[int | None]
) -> None:
    rows = [
        {
            step: {"label": label, "reason": LabelReason.TIED if label is None else None}
            for step, label in enumerate(labels)
        }
        for labels in (one, other)
    ]
    found = consensus(rows)
    assert len(found) == 3
    firsts = {first_bad(one), first_bad(other)}
    if None in firsts:
        assert {each["reason"] for each in found} == {LabelReason.TIED}
    elif len(firsts) == 2:
        assert {each["reason"] for each in found} == {LabelReason.DISAGREEMENT}
    else:
        assert first_bad([each["label"] for each in found]) == first_bad(one)
    assert consensus(rows[::-1]) == found


def test_consensus_of_tables_keeps_solutions_that_one_source_lacks(tmp_path: Path) -> None:
    judge = labelled(tmp_path, [1, 1, 0], [1, 1, 1])
    known = labelled(tmp_path, [1, 1, 0], source=LabelSource.KNOWN)
    agree_labels([judge, known], tmp_path / "out.parquet")
    rows = parquet.read(tmp_path / "out.parquet", LABELS).to_pylist()
    assert [row["label"] for row in rows] == [1, 1, 0, None, None, None]
    assert {row["reason"] for row in rows} == {None, LabelReason.UNLABELLED}
    for too_few in ([judge], [judge, judge], [judge, tmp_path / "." / judge.name, known]):
        with pytest.raises(InputError, match="at least two"):
            agree_labels(too_few, tmp_path / "out.parquet")


def test_sources_that_end_before_the_last_step_agree_on_the_steps_before_alone(
    tmp_path: Path, write_solutions: Write
) -> None:
    judge = labelled(tmp_path, [1, 1], [1, 0])
    known = labelled(tmp_path, [1, 1], [1, 0], source=LabelSource.KNOWN)
    agreed = tmp_path / "agreed.parquet"
    agree_labels([judge, known], agreed)
    rows = chosen(write_solutions([solution(0, 0), solution(0, 1)]), agreed, tmp_path)
    assert [row["step_labels"] for row in rows] == [None, [1, 0, 0]]


@pytest.mark.parametrize("labels", [*product((0, 1), repeat=2)])
def test_a_label_is_trusted_up_to_the_tolerance(labels: tuple[int, int]) -> None:
    steps = list(labels)
    near = [abs(label - 0.375) for label in steps]
    assert [each["label"] for each in trusted(steps, near, 0.375)] == steps
    far = trusted(steps, [abs(steps[0] - 0.5), near[1]], 0.375)
    assert [each["reason"] for each in far] == [LabelReason.CONTRADICTED] * 2


def test_rewards_after_the_first_bad_step_do_not_matter_and_missing_ones_are_no_evidence() -> None:
    assert [each["label"] for each in trusted([1, 0, 0], [0.9, 0.1, None], 0.4)] == [1, 0, 0]
    missing = trusted([1, 1], [0.9, None], 0.4)
    assert [each["reason"] for each in missing] == [LabelReason.NO_REWARD] * 2


def rewarded(folder: Path, rewards: list[list[float]], unit: Unit = Unit.STEP) -> Path:
    path = folder / "rewards.parquet"
    rows = [
        {
            **{name: solution(0, number)[name] for name in SOLUTIONS.key},
            "model": "m",
            "rewards": each,
            "unit": unit,
            "scale": Scale.PROBABILITY,
            **dict.fromkeys(("n_tokens_read", "n_tokens_generated", "flops", "truncated")),
        }
        for number, each in enumerate(rewards)
    ]
    parquet.write(path, REWARDS, rows, made_of())
    return path


def test_trusted_labels_are_chosen_and_others_dropped(
    tmp_path: Path, write_solutions: Write
) -> None:
    solutions = write_solutions(
        [solution(0, 0), solution(0, 1), solution(0, 2, labelled=False), solution(0, 3)]
    )
    rewards = rewarded(tmp_path, [[0.9, 0.9, 0.2], [0.9, 0.2, 0.9], [0.5] * 3, [0.9] * 3])
    output = tmp_path / "trusted.parquet"
    trust_labels(solutions, rewards, output, 0.4)
    rows = chosen(solutions, output, tmp_path)
    assert [row["step_labels"] for row in rows] == [[1, 1, 0], None, None, [1, 1, 1]]


def test_rewards_of_other_solutions_or_kinds_are_refused(
    tmp_path: Path, write_solutions: Write
) -> None:
    solutions, output = write_solutions([solution(0, 0), solution(0, 1)]), tmp_path / "out.parquet"
    with pytest.raises(InputError, match=r"rewards of .*found none"):
        trust_labels(solutions, rewarded(tmp_path, [[0.9] * 3]), output)
    with pytest.raises(InputError, match="3 rewards"):
        trust_labels(solutions, rewarded(tmp_path, [[0.9], [0.9]]), output)
    with pytest.raises(InputError, match="unit critique"):
        trust_labels(solutions, rewarded(tmp_path, [[0.9] * 3] * 2, Unit.CRITIQUE), output)
